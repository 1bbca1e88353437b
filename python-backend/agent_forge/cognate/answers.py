"""The loss over a large vocabulary, without ever holding its logits in float32 or their probabilities at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

_ENTRIES = 1 << 20
"""Logits that are worked on at once, few enough to stay in the cache."""


def answer_loss(
    states: Tensor, layer: nn.Linear, targets: Tensor, taught: Tensor | None = None, *, dtype: torch.dtype
) -> Tensor:
    """Mean over the answers, nats: of the cross-entropy where a token is learned, of KL(taught ‖ answered) where a
    teacher's answer is.

    states: [answers, d], what `layer` answers from. targets: [learned], tokens that the first answers should be.
    taught: [answers - learned, vocabulary], logits that the others should have. Both products with the vocabulary are
    computed in `dtype`. Only states and layer get a gradient.
    """
    loss: Tensor = _AnswerLoss.apply(  # type: ignore[no-untyped-call]
        states, layer.weight, layer.bias, targets, taught, dtype
    )
    return loss


class _AnswerLoss(torch.autograd.Function):
    """Forward turns the logits into their own gradient, softmax − target, in place: backward takes two products."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        taught: Tensor | None,
        dtype: torch.dtype,
    ) -> Tensor:
        inner, matrix = states.to(dtype), weight.to(dtype)
        logits = torch.addmm(bias.to(dtype), inner, matrix.t())
        count, learned = len(states), len(targets)
        total = states.new_zeros((), dtype=torch.float64)
        of_bias = torch.zeros_like(bias, dtype=torch.float32)
        rows = max(1, _ENTRIES // logits.shape[1])
        for first, end in ((0, learned), (learned, count)):
            for start in range(first, end, rows):
                here = slice(start, min(start + rows, end))
                answered = logits[here].float().log_softmax(-1)
                if start < learned:
                    target = targets[here, None]
                    total -= answered.gather(1, target).sum(dtype=torch.float64)
                    slope = answered.exp_().scatter_add_(1, target, answered.new_full(target.shape, -1.0))
                else:
                    assert taught is not None  # noqa: S101 - more answers than targets
                    said = taught[start - learned : here.stop - learned].float().log_softmax(-1)
                    likely = said.exp()
                    total += said.sub_(answered).mul_(likely).sum(dtype=torch.float64)
                    slope = answered.exp_().sub_(likely)
                slope /= count
                of_bias += slope.sum(0)
                logits[here] = slope
        ctx.save_for_backward(logits, inner, matrix, of_bias)
        return (total / count).float()

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, *outer: Tensor) -> tuple[Tensor | None, ...]:
        (scale,) = outer
        slope, inner, matrix, of_bias = ctx.saved_tensors  # type: ignore[attr-defined]
        of_states = (slope @ matrix).float() * scale
        of_weight = (slope.t() @ (inner * scale)).float()
        return of_states, of_weight, of_bias * scale, None, None, None
