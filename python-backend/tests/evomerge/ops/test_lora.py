"""Adapters on a base, against the formula in float64, in memory and written tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agent_forge.contract.recipe import Leaf
from agent_forge.evomerge.errors import ShapesDiffer
from agent_forge.evomerge.ops.lora import lora
from agent_forge.evomerge.recipe.materialise import materialise
from agent_forge.evomerge.recipe.tree import node
from agent_forge.evomerge.streaming import stream
from agent_forge.registry.tensors import digest_tensors

SHAPES = {
    "model.embed_tokens.weight": (11, 6),
    "model.layers.0.self_attn.q_proj.weight": (6, 6),
    "model.layers.0.mlp.up_proj.weight": (9, 6),
    "model.norm.weight": (6,),
    "lm_head.weight": (11, 6),
}
Q, UP = "base_model.model.model.layers.0.self_attn.q_proj", "base_model.model.model.layers.0.mlp.up_proj"


def drawn(shapes: Mapping[str, tuple[int, ...]], seed: int, dtype: torch.dtype) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in shapes.items()}


BASE = drawn(SHAPES, 1, torch.bfloat16)
ADAPTER = drawn(
    {
        f"{Q}.lora_A.weight": (2, 6),
        f"{Q}.lora_B.weight": (6, 2),
        f"{UP}.lora_A.weight": (4, 6),
        f"{UP}.lora_B.weight": (9, 4),
        "base_model.model.model.embed_tokens.lora_embedding_A": (2, 11),
        "base_model.model.model.embed_tokens.lora_embedding_B": (6, 2),
        "base_model.model.lm_head.weight": (11, 6),
    },
    2,
    torch.float32,
)
SETTINGS: dict[str, Any] = {"alpha": 3.0, "alpha_by_module": {"mlp.up_proj": 5.0}}


def product(stem: str, half: str = "lora_{}.weight") -> Tensor:
    down, up = (ADAPTER[f"{stem}.{half.format(side)}"].double() for side in "AB")
    return up @ down


@pytest.mark.parametrize("rank_stabilized", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_what_is_added(turned: bool, rank_stabilized: bool) -> None:
    def over(rank: int) -> float:
        return rank**0.5 if rank_stabilized else float(rank)

    found = lora([BASE, ADAPTER], rank_stabilized=rank_stabilized, fan_in_fan_out=turned, **SETTINGS)
    square = product(Q).T if turned else product(Q)
    embedding = product("base_model.model.model.embed_tokens", "lora_embedding_{}").T
    added = {
        "model.layers.0.self_attn.q_proj.weight": 3 / over(2) * square,
        "model.layers.0.mlp.up_proj.weight": 5 / over(4) * product(UP),
        "model.embed_tokens.weight": 3 / over(2) * embedding,
    }
    expected = {name: (tensor.double() + added.get(name, 0)).bfloat16() for name, tensor in BASE.items()}
    expected["lm_head.weight"] = ADAPTER["base_model.model.lm_head.weight"].bfloat16()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0, msg=name)


def test_names_with_and_without_the_network_around_them() -> None:
    named = {"h.0.mlp.c_fc.weight": torch.zeros(4, 8), "ln_f.bias": torch.ones(4)}
    pair = {"lora_A.weight": torch.ones(1, 4), "lora_B.weight": torch.ones(8, 1)}
    adapter = {f"base_model.model.transformer.h.0.mlp.c_fc.{end}": tensor for end, tensor in pair.items()}
    assert torch.equal(lora([named, adapter])["h.0.mlp.c_fc.weight"], torch.ones(4, 8))


def load(one: Leaf) -> Mapping[str, Tensor]:
    return BASE if one.model_id == "base" else ADAPTER


def test_in_memory_and_streamed(tmp_path: Path) -> None:
    base, adapter = (Leaf(model_id=name, digest=digest_tensors(one)) for name, one in (("base", BASE), ("a", ADAPTER)))
    recipe = node("linear", [node("lora", [base, adapter], **SETTINGS), base])
    digest = digest_tensors(materialise(recipe, load))
    assert stream(recipe, load, tmp_path / "model.safetensors").digest == digest
    assert digest != digest_tensors(BASE)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"base_model.model.model.layers.7.mlp.up_proj.lora_A.weight": torch.zeros(1, 6)}, "layers.7"),
        ({"model.norm.weight": torch.zeros(6)}, "the base has nothing"),
        ({"base_model.model.lm_head.weight": torch.zeros(12, 6)}, "lm_head"),
        ({f"{Q}.lora_B.weight": torch.zeros(7, 2)}, "q_proj"),
    ],
)
def test_refused(more: dict[str, Tensor], message: str) -> None:
    leaves = [Leaf(model_id=name, digest="0" * 64) for name in ("base", "adapter")]
    with pytest.raises(ShapesDiffer, match=message):
        materialise(node("lora", [*leaves]), lambda one: BASE if one.model_id == "base" else ADAPTER | more)
