"""The weights of a recipe follow their gradient: a search in few numbers, by what a model gets wrong.

θ(w) = θ₀ + Σᵢ wᵢ(θᵢ − θ₀), tensor by tensor, over a model and the parents that it was made from. The derivative of the
loss by wᵢ is ⟨its gradient, θᵢ − θ₀⟩, so that a step costs one pass forward and one back, whatever their number
(AdaMerging, Yang et al. 2024, arXiv:2310.02575, has entropies in place of the loss).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ..contract.errors import NotMeasurable
from ..contract.evomerge import FitnessWeights
from ..contract.fault import Fault
from ..contract.recipe import MergeNode
from .errors import NonFinite
from .measure.workbench import Workbench
from .ops.registry import merge_op_named
from .search.genome import TensorWeights, polished
from .search.strategy import POLISH_PROBLEMS, Polish

Gradient = Callable[[Mapping[str, Tensor], int], Mapping[str, Tensor]]
"""(tensors, step) → the loss's gradient by them."""

RATE, LATER_RATE = 0.1, 0.03
"""Learning rates of Adam (Kingma & Ba 2015) at the first step; they fall to 0 along a cosine. The lower one is for
going on from weights that were found before."""
BETAS = (0.9, 0.95)
DECIMALS = 6
LIMIT = 100.0
"""Largest size of a weight. None came near it; a recipe accepts up to 1000."""


def polished_recipe(bench: Workbench, root: MergeNode, asked: Polish, poll: Callable[[], None]) -> MergeNode | Fault:
    """root with weights over it and the parents, or why there are none. poll: called before each step."""
    cost = ponder_cost(bench.weights, bench.frame.depth)

    def gradient(tensors: Mapping[str, Tensor], step: int) -> Mapping[str, Tensor]:
        poll()
        return bench.gradient(tensors, asked.seed, step, POLISH_PROBLEMS, cost)

    made = bench.attempt(root)
    if isinstance(made, Fault):
        return made
    try:
        weights = polish([made, *map(bench.make, bench.frame.parents)], bench.base, asked.start, asked.steps, gradient)
    except NotMeasurable as error:
        return error.fault
    except NonFinite as error:
        return Fault(kind="merge_not_finite", message=str(error))
    return polished(root, weights, bench.frame)


def polish(
    models: Sequence[Mapping[str, Tensor]],
    base: Mapping[str, Tensor],
    start: TensorWeights | None,
    steps: int,
    gradient: Gradient,
) -> TensorWeights:
    """Weights of each model's task vector, by tensor, rounded as recipes have them.

    start: where to begin; None: the first model as it is.
    """
    op, names = merge_op_named("task_arithmetic"), list(base)
    first = [1.0, *[0.0] * (len(models) - 1)]
    weights = torch.tensor([(start or {}).get(name, first) for name in names], dtype=torch.float64)
    rate = RATE if start is None else LATER_RATE
    optimizer = torch.optim.Adam([weights], lr=rate, betas=BETAS)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 + math.cos(math.pi * step / steps)) / 2
        slope = gradient(op(models, base=base, weights=_rows(names, weights), known_finite=True), step)
        weights.grad = torch.tensor(
            [[_inner(slope[name], model[name], base[name]) for model in models] for name in names], dtype=torch.float64
        )
        optimizer.step()
        weights.clamp_(-LIMIT, LIMIT)
    return _rows(names, weights)


def ponder_cost(weights: FitnessWeights, layers: int) -> float:
    """Cost of a block that a token passes, nats: halving the depth weighs against the loss as fitness weighs `compute`
    against `likelihood` and `accuracy`."""
    answers = weights.likelihood + weights.accuracy
    return 2 * weights.compute / answers / layers if answers > 0 else 0.0


def _rows(names: Sequence[str], weights: Tensor) -> TensorWeights:
    return {name: [round(value, DECIMALS) for value in row] for name, row in zip(names, weights.tolist(), strict=True)}


def _inner(slope: Tensor, model: Tensor, base: Tensor) -> float:
    return float(torch.dot(slope.flatten(), (model - base).flatten().to(slope.dtype)))
