from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from .chunks import CHUNK, by_chunks
from .registry import Scale, Tensors, merge_op
from .trim import kept_count


def _variance(deltas: Sequence[Tensor]) -> Tensor:
    """Across the inputs, per entry, float32: what positions are ranked by."""
    mean = torch.zeros_like(deltas[0])
    for delta in deltas:
        mean.add_(delta / len(deltas))
    total = torch.zeros_like(mean)
    for delta in deltas:
        away = delta - mean
        total.add_(away.mul_(away))
    return total.div_(len(deltas)).to(torch.float32)


def _deltas(models: Tensors, base: Tensor, start: int) -> list[Tensor]:
    origin = base.reshape(-1)[start : start + CHUNK].to(torch.float64)
    return [model.reshape(-1)[start : start + CHUNK].to(torch.float64) - origin for model in models]


@merge_op(source="Wan et al. 2024, FuseChat, arXiv:2408.07990")
def sce(
    models: Tensors,
    base: Tensor,
    *,
    selected: Annotated[
        float, Field(ge=0, le=1, description="share of the positions, of those that vary at all, that is merged")
    ] = 1.0,
    scale: Scale = 1.0,
) -> Tensor:
    """Select the positions of the highest variance across the task vectors, calculate one weight per model from
    the mean square of what is left, erase entries against the sign of the sum, take the weighted mean.

    Per tensor: ⌊selected·varying positions⌋, but one at least.

    Edges: selected 1 takes all positions, 0 gives the base, as does λ 0. Below 1 only positions that vary count: one
    model alone, or equal ones, then give the base. Positions that tie with the last one are taken. An entry whose
    sum is 0 stays the base's.

    mergekit: takes some of the positions that tie, by the order of its sort; weighs models alike where their mean
    squares sum to less than 1e-6; may select none. It has no λ: its is 1.
    """
    starts = range(0, base.numel(), CHUNK)
    least = 0.0
    if selected < 1:
        spread = np.concatenate([_variance(_deltas(models, base, start)).numpy() for start in starts])
        varying = int(np.count_nonzero(spread))
        kept = kept_count(selected, varying) if varying else 0
        if kept == 0:
            return base
        least = float(np.partition(spread, len(spread) - kept)[len(spread) - kept])

    def select(deltas: list[Tensor]) -> list[Tensor]:
        if selected == 1:
            return deltas
        chosen = _variance(deltas) >= least
        return [delta.mul_(chosen) for delta in deltas]

    squares: list[list[float]] = [[] for _ in models]
    for start in starts:
        for sums, delta in zip(squares, select(_deltas(models, base, start)), strict=True):
            sums.append(float(np.add.reduce(np.square(delta.numpy()))))
    strengths = [math.fsum(sums) for sums in squares]
    total = math.fsum(strengths)
    if total == 0:
        return base
    weights = [strength / total for strength in strengths]

    def merge(parts: list[Tensor]) -> Tensor:
        origin, *models = parts
        deltas = select([part.sub_(origin) for part in models])
        elected = deltas[0].clone()
        for delta in deltas[1:]:
            elected.add_(delta)
        elected.sign_()
        mean, divisor = torch.zeros_like(origin), torch.zeros_like(origin)
        for delta, weight in zip(deltas, weights, strict=True):
            agrees = (delta * elected).gt_(0)
            mean.add_(delta.mul_(agrees).mul_(weight))
            divisor.add_(agrees.mul_(weight))
        return origin.add_(mean.div_(divisor.add_(divisor == 0)).mul_(scale))

    return by_chunks(merge, [base, *models])
