"""Names → (layer, role), beside transformers' own models: no tensor of a defined family is left without a role."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from agent_forge.contract.architecture import ARCHITECTURES, Preset, tensor_shapes
from agent_forge.evomerge.layers import group_of
from agent_forge.registry.families.family import Role, by_model_type, families
from agent_forge.registry.families.layout import Place, layout_of

SMALL = {"vocab_size": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LLAMA_LIKE = {
    "num_hidden_layers": 3,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
GPT_LIKE = {"n_layer": 3, "n_embd": 32, "n_head": 4}
BLOOM_LIKE = {"n_layer": 3, "hidden_size": 32, "n_head": 4, "num_hidden_layers": 3, "num_attention_heads": 4}
SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": GPT_LIKE,
    "gpt_bigcode": GPT_LIKE,
    "bloom": BLOOM_LIKE,
    "falcon": BLOOM_LIKE,
    "gpt_neo": {
        "num_layers": 3,
        "hidden_size": 32,
        "num_heads": 4,
        "attention_types": [[["global"], 3]],
    },
    "gpt_neox": {"num_hidden_layers": 3, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4},
    "opt": {
        "num_hidden_layers": 3,
        "hidden_size": 32,
        "ffn_dim": 64,
        "num_attention_heads": 4,
        "word_embed_proj_dim": 32,
    },
    "mixtral": LLAMA_LIKE | {"num_local_experts": 2},
}


def names_of(model_type: str) -> list[str]:
    config = AutoConfig.for_model(model_type, **SMALL, **SHAPES.get(model_type, LLAMA_LIKE))
    with torch.device("meta"):
        return list(AutoModelForCausalLM.from_config(config).state_dict())


@pytest.mark.parametrize("model_type", sorted(by_model_type()))
def test_every_tensor_of_a_defined_family_has_a_place(model_type: str) -> None:
    names = names_of(model_type)
    layout = layout_of(names, model_type)
    assert layout.depth == 3
    assert layout.family == by_model_type()[model_type]
    places = {name: layout.place(name) for name in names}
    assert [name for name, place in places.items() if place.role is Role.other and not layout.is_buffer(name)] == []
    assert {place.layer for place in places.values()} == {None, 0, 1, 2}
    for name, place in places.items():
        assert place.layer is None or layout.named(place.layer, place.rest) == name
    assert layout.of_role(names, Role.embedding) is not None
    assert layout.of_role(names, Role.head) is not None
    blind = layout_of(names)
    assert (blind.prefix, blind.depth) == (layout.prefix, layout.depth), "names alone say as much"


def test_a_checkpoint_without_its_head_s_wrapper() -> None:
    names = ["wte.weight", "wpe.weight", "h.0.attn.c_attn.weight", "h.1.attn.c_attn.weight", "h.1.attn.masked_bias"]
    layout = layout_of(names, "gpt2")
    assert (layout.prefix, layout.depth) == ("h.", 2)
    assert layout.place("h.1.attn.c_attn.weight") == Place(1, "attn.c_attn.weight", Role.qkv)
    assert layout.of_role(names, Role.embedding) == "wte.weight"
    assert layout.of_role(names, Role.head) is None
    assert [name for name in names if layout.is_buffer(name)] == ["h.1.attn.masked_bias"]


@pytest.mark.parametrize(
    ("names", "prefix", "depth"),
    [
        (["eyes.0.w", "eyes.1.w", "trunk.blocks.0.w", "trunk.blocks.1.w", "trunk.blocks.2.w"], "trunk.blocks.", 3),
        (["a.b.0.experts.0.w", "a.b.0.experts.7.w", "a.b.1.experts.0.w"], "a.b.", 2),
        (["b.0.w", "b.1.w", "a.0.w", "a.1.w"], "a.", 2),
        (["layers.00.w", "layers.-1.w", "0.w", "weight"], "", 0),
        ([], "", 0),
    ],
)
def test_an_unknown_model_has_the_longest_numbered_list(names: list[str], prefix: str, depth: int) -> None:
    layout = layout_of(names)
    assert (layout.family, layout.prefix, layout.depth) == (None, prefix, depth)
    assert layout_of(reversed(names)) == layout


def test_layer_groups_of_both_kinds() -> None:
    titan = list(tensor_shapes(ARCHITECTURES[Preset.tinytitan]))
    layout = layout_of(titan)
    assert layout.family == families()["tinytitan"]
    groups = {name: group_of(name, layout) for name in titan}
    assert {name for name, group in groups.items() if group == "heads"} == {
        "act_halting.weight", "act_halting.bias", "memory_gate.weight", "memory_gate.bias",
    }  # fmt: skip
    assert {name for name, group in groups.items() if group == "output"} == {"output_layer.weight", "output_layer.bias"}
    by_block = [groups[f"transformer_blocks.{index}.linear1.weight"] for index in range(8)]
    assert by_block == ["early"] * 3 + ["middle"] * 3 + ["late"] * 2
    llama = names_of("llama")
    there = {group_of(name, layout_of(llama)) for name in llama}
    assert there == {"embedding", "early", "middle", "late", "heads", "output"}
