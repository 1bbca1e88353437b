"""Weight matching, with the real TinyTitan: what is permuted computes the same."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from evomerge.scrambled import permuted, scrambled
from torch import Tensor

from agent_forge.cognate.batch import Encoded, collate
from agent_forge.cognate.model import Output, TinyTitanModel
from agent_forge.contract.architecture import ARCHITECTURES, Preset, tensor_shapes
from agent_forge.evomerge.errors import BadParameter
from agent_forge.evomerge.ops.registry import StateDict, merge_op_named
from agent_forge.evomerge.ops.symmetry import Symmetry, symmetries

ARCH = ARCHITECTURES[Preset.nano]
HEADS = ARCH.n_heads
TEXT = "what followed this? " * 8  # longer than four windows, so that the memory is read


def drawn(seed: int) -> StateDict:
    """Nothing is 0 or alike: every bias, norm and gate shows in the output."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: 0.15 * torch.randn(shape, generator=generator) + (1.0 if "norm" in name and "weight" in name else 0.0)
        for name, shape in tensor_shapes(ARCH).items()
    }


def output(tensors: Mapping[str, Tensor], *, memory: bool = True) -> Output:
    batch = collate([Encoded(list(TEXT.encode()), list(range(len(TEXT))), [65] * len(TEXT), [True] * len(TEXT))], 256)
    with torch.no_grad():
        return TinyTitanModel(ARCH).bind(tensors)(batch.tokens, batch.layout, batch.labels, memory=memory)


def logits(tensors: Mapping[str, Tensor]) -> Tensor:
    return output(tensors).logits


def test_every_symmetry_leaves_the_output_as_it_is() -> None:
    model = drawn(1)
    before = output(model)
    # the text tells: tokens halt at several depths, and what is beyond the window is read
    assert len(before.depth.unique()) > 1
    assert not torch.allclose(before.logits, output(model, memory=False).logits, atol=1e-2)
    groups = list(symmetries(model, HEADS))
    assert [group.count for group in groups] == [ARCH.d_model, HEADS, *[32] * HEADS, *[ARCH.d_ff] * ARCH.n_layers]
    for group in groups:
        changed = permuted(model, group, torch.arange(group.count).roll(1))
        assert any(not torch.equal(changed[name], model[name]) for name in model)
        after = output(changed)
        torch.testing.assert_close(after.logits, before.logits, rtol=1e-4, atol=1e-4)
        assert torch.equal(after.depth, before.depth)


@pytest.mark.parametrize("without", ["memory_gate.weight", "transformer_blocks.2.self_attn.out_proj.weight"])
def test_a_symmetry_needs_all_its_places(without: str) -> None:
    """Heads of one block alone, or without the gate that all blocks share, can't be permuted."""
    model = drawn(1)
    heads = list(symmetries(model, HEADS))[1]
    partial = Symmetry(heads.count, heads.width, tuple(p for p in heads.places if p.tensor != without))
    changed = permuted(model, partial, torch.tensor([1, 0, 3, 2]))
    assert not torch.allclose(logits(changed), logits(model), atol=1e-2)


def test_a_scrambled_copy_is_put_in_order() -> None:
    model = drawn(1)
    align = merge_op_named("align")
    restored = align([scrambled(model, HEADS, 5), model], heads=HEADS)
    assert all(torch.equal(restored[name], model[name]) for name in model)


def test_another_model_computes_the_same_and_lies_closer() -> None:
    model, reference = drawn(1), drawn(2)
    aligned = merge_op_named("align")([model, reference], heads=HEADS)
    torch.testing.assert_close(logits(aligned), logits(model), rtol=1e-4, atol=1e-4)

    def distance(one: Mapping[str, Tensor]) -> float:
        return sum(float((one[name] - reference[name]).double().square().sum()) for name in reference)

    assert distance(aligned) < 0.99 * distance(model)
    assert all(torch.equal(aligned[name].sort().values, model[name].sort().values) for name in ("output_layer.bias",))


def test_threads_change_no_assignment() -> None:
    one = merge_op_named("align")([drawn(1), drawn(2)], heads=HEADS)
    torch.set_num_threads(2)
    two = merge_op_named("align")([drawn(1), drawn(2)], heads=HEADS)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_without_heads_attention_stays() -> None:
    aligned = merge_op_named("align")([scrambled(drawn(1), HEADS, 5), drawn(1)])
    gates = [aligned["memory_gate.bias"], scrambled(drawn(1), HEADS, 5)["memory_gate.bias"]]
    assert torch.equal(*gates)


@pytest.mark.parametrize(("heads", "message"), [(3, "do not divide a width of 128"), (8, "`nano` has 4, not 8")])
def test_wrong_heads_are_refused(heads: int, message: str) -> None:
    with pytest.raises(BadParameter, match=message):
        merge_op_named("align")([drawn(1), drawn(2)], heads=heads)
