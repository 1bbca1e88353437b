from __future__ import annotations

from collections.abc import Callable
from typing import Any

import causal_lms
import pytest
import torch
from torch import Tensor

from agent_forge.causal_lm.errors import NotRunnable
from agent_forge.causal_lm.network import open_network
from agent_forge.contract.architecture import CausalLM

FAMILIES = list(causal_lms.FAMILIES)
TOKENS = torch.tensor([[1, 5, 9, 40, 7], [1, 8, 8, 17, 300]])


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_transformers(family: str) -> None:
    made = causal_lms.network(family)
    opened = open_network(causal_lms.architecture(family), causal_lms.tensors(made), torch.float32)
    with torch.inference_mode():
        assert torch.equal(opened.module(input_ids=TOKENS).logits, made(input_ids=TOKENS).logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_tensors_are_assigned_and_tied_heads_stay_tied(family: str) -> None:
    own = causal_lms.tensors(causal_lms.network(family))
    opened = open_network(causal_lms.architecture(family), own, torch.float32)
    parameters = dict(opened.module.named_parameters())
    assert set(opened.names.values()) == own.keys()
    for parameter, name in opened.names.items():
        assert parameters[parameter].data_ptr() == own[name].data_ptr()
    head, embedding = opened.module.get_output_embeddings(), opened.module.get_input_embeddings()
    assert (head.weight.data_ptr() == embedding.weight.data_ptr()) == causal_lms.architecture(family).tied


def test_names_without_the_networks_prefix_and_buffers_of_old_files_are_read() -> None:
    made = causal_lms.network("gpt2")
    own = {name.removeprefix("transformer."): one for name, one in causal_lms.tensors(made).items()}
    own["h.0.attn.bias"] = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    opened = open_network(causal_lms.architecture("gpt2"), own, torch.float32)
    with torch.inference_mode():
        assert torch.equal(opened.module(input_ids=TOKENS).logits, made(input_ids=TOKENS).logits)
    assert opened.names["transformer.wte.weight"] == "wte.weight"


def test_wider_types_are_computed_in_without_changing_the_tensors() -> None:
    own = {name: one.bfloat16() for name, one in causal_lms.tensors(causal_lms.network("llama")).items()}
    opened = open_network(causal_lms.architecture("llama"), own, torch.float32)
    assert {one.dtype for one in opened.module.parameters()} == {torch.float32}
    assert {one.dtype for one in own.values()} == {torch.bfloat16}
    assert set(opened.names.values()) == own.keys()


def _without(name: str) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda own: {key: one for key, one in own.items() if key != name}


@pytest.mark.parametrize(
    ("changes", "alter", "said"),
    [
        ({}, _without("model.norm.weight"), "lack model.norm.weight"),
        ({}, lambda own: own | {"more.weight": torch.ones(2)}, "no place for more.weight"),
        ({}, lambda own: own | {"model.norm.weight": torch.ones(3)}, "other shapes in"),
        ({"auto_map": {"AutoModel": "x.Y"}}, dict, "names code by `auto_map`"),
        ({"quantization_config": {"bits": 4}}, dict, "quantised"),
        ({"hidden_size": "wide"}, dict, "config.json is no config of a llama"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    changes: dict[str, Any], alter: Callable[[dict[str, Tensor]], dict[str, Tensor]], said: str
) -> None:
    llama = causal_lms.architecture("llama")
    changed = llama.model_copy(update={"config": llama.config | changes})
    with pytest.raises(NotRunnable, match=said):
        open_network(changed, alter(causal_lms.tensors(causal_lms.network("llama"))), torch.float32)


@pytest.mark.parametrize("family", ["nothing_of_this_name", "t5"])
def test_families_that_are_no_causal_models_are_refused(family: str) -> None:
    other = CausalLM(model_type=family, config={"model_type": family}, layers=1, vocab_size=8, tied=False, dtype="F32")
    with pytest.raises(NotRunnable, match=f"of the type {family}"):
        open_network(other, {}, torch.float32)
