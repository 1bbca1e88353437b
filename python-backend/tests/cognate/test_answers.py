"""The fused loss is the plain one, and so are its gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agent_forge.cognate.answers import answer_loss

WIDE = 1 << 18  # four rows are worked on at once


def drawn(answers: int, learned: int, vocabulary: int) -> tuple[Tensor, nn.Linear, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(answers * 31 + learned)
    layer = nn.Linear(8, vocabulary)
    with torch.no_grad():
        layer.weight.normal_(0, 0.3, generator=generator)
        layer.bias.normal_(0, 0.3, generator=generator)
    states = torch.randn(answers, 8, generator=generator).requires_grad_()
    targets = torch.randint(vocabulary, (learned,), generator=generator)
    return states, layer, targets, torch.randn(answers - learned, vocabulary, generator=generator)


def plain(states: Tensor, layer: nn.Linear, targets: Tensor, taught: Tensor) -> Tensor:
    new, again = layer(states).split([len(targets), len(taught)])
    learned = F.cross_entropy(new, targets, reduction="sum")
    kept = F.kl_div(again.log_softmax(-1), taught.log_softmax(-1), reduction="sum", log_target=True)
    return (learned + kept) / len(states)


@pytest.mark.parametrize("vocabulary", [17, WIDE])
@pytest.mark.parametrize(("answers", "learned"), [(9, 9), (9, 5), (9, 0), (1, 1), (8, 4)])
def test_loss_and_gradients(answers: int, learned: int, vocabulary: int) -> None:
    states, layer, targets, taught = drawn(answers, learned, vocabulary)
    theirs = plain(states, layer, targets, taught)
    wanted = torch.autograd.grad(theirs * 3, [states, layer.weight, layer.bias])
    ours = answer_loss(states, layer, targets, taught if learned < answers else None, dtype=torch.float32)
    found = torch.autograd.grad(ours * 3, [states, layer.weight, layer.bias])
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    for mine, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)


def test_in_bf16_the_loss_differs_by_the_rounding_of_the_logits_alone() -> None:
    states, layer, targets, taught = drawn(64, 40, 500)
    ours = answer_loss(states, layer, targets, taught, dtype=torch.bfloat16)
    torch.testing.assert_close(ours, plain(states, layer, targets, taught), rtol=1e-2, atol=0)
    (of_weight,) = torch.autograd.grad(ours, [layer.weight])
    assert of_weight.dtype == torch.float32
    (wanted,) = torch.autograd.grad(plain(states, layer, targets, taught), [layer.weight])
    assert F.cosine_similarity(of_weight.flatten(), wanted.flatten(), dim=0) > 0.999


def test_a_taught_answer_that_is_given_already_costs_nothing() -> None:
    states, layer, targets, _ = drawn(6, 0, 40)
    loss = answer_loss(states, layer, targets, layer(states).detach(), dtype=torch.float32)
    assert loss.item() == pytest.approx(0, abs=1e-6)
    (of_states,) = torch.autograd.grad(loss, [states])
    assert of_states.abs().max() < 1e-6
