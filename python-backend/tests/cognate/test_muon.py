"""Muon against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from agent_forge.cognate.muon import Muon, orthogonalised


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(2, 8, 8), (3, 24, 8), (1, 8, 24)])
def test_singular_values_come_near_one(shape: tuple[int, int, int]) -> None:
    values = torch.linalg.svdvals(orthogonalised(drawn(1, *shape)))
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_a_zero_gradient_moves_nothing() -> None:
    assert torch.equal(orthogonalised(torch.zeros(1, 4, 8)), torch.zeros(1, 4, 8))


def test_agrees_with_torch() -> None:
    """Five steps over matrices of two shapes; torch iterates in bfloat16."""
    shapes = [(16, 8), (16, 8), (8, 24)]
    ours = [torch.nn.Parameter(drawn(index, *shape)) for index, shape in enumerate(shapes)]
    theirs = [torch.nn.Parameter(parameter.detach().clone()) for parameter in ours]
    start = [parameter.detach().clone() for parameter in ours]
    own = Muon(ours, lr=0.02, weight_decay=0.1)
    reference = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1)
    for step in range(5):
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            a.grad = drawn(100 * step + index, *shapes[index])
            b.grad = a.grad.clone()
        own.step()
        reference.step()
    for first, a, b in zip(start, ours, theirs, strict=True):
        moved = float((b - first).detach().norm())
        assert moved > 0.1
        assert float((a - b).detach().norm()) < 0.03 * moved
        assert torch.equal(own.state[a]["momentum_buffer"], reference.state[b]["momentum_buffer"])


def test_refuses_a_vector() -> None:
    with pytest.raises(ValueError, match="matrices"):
        Muon([torch.zeros(3)], lr=0.1, weight_decay=0.0)
