from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor

from .chunks import CHUNK, each_chunk, made
from .compiled import BLOCK, Array, Factors, Floats, Inputs, filled, flat, kernel, many, present_of
from .registry import Scale, Tensors, merge_op
from .statistics_cache import StatisticsCache
from .trim import Magnitudes, kept_count, kth, scratch


@merge_op(source="Wan et al. 2024, FuseChat, arXiv:2408.07990")
def sce(
    models: Tensors,
    base: Tensor,
    statistics: StatisticsCache,
    *,
    selected: Annotated[float, Field(ge=0, le=1, description="share of the varying positions that is merged")] = 1.0,
    scale: Scale = 1.0,
) -> Tensor:
    """Select the positions of the highest variance across the task vectors, calculate one weight per model from
    the mean square of what is left, erase entries against the sign of the sum, take the weighted mean.

    Per tensor: ⌊selected·varying positions⌋, but at least one.

    Edges: selected 1 takes all positions, 0 gives the base, as does λ 0. Below 1 only positions that vary count: one
    model alone, or equal ones, then give the base. Positions that tie with the last one are taken. An entry whose
    sum is 0 stays the base's.

    mergekit: takes some of the positions that tie, by the order of its sort; weighs models alike where their mean
    squares sum to less than 1e-6; may select none; elects + where the sum is 0. It has no λ (it is 1).
    """
    least, weights = statistics(range(len(models)), ("sce", selected), lambda: _selection(models, base, selected))
    if not weights:
        return base
    arrays, origin, present, shares = many(models), flat(base), present_of(models), filled(weights, 0.0)
    return made(base, lambda out, start, stop: _merge(out, arrays, origin, present, shares, least, scale, start, stop))


def _selection(models: Sequence[Tensor], base: Tensor, selected: float) -> tuple[float, list[float]]:
    """The least variance that is selected, and the models' weights; none where nothing is left."""
    arrays, origin, present, size = many(models), flat(base), present_of(models), base.numel()
    least = 0.0
    if selected < 1:
        spread = scratch(size)
        each_chunk(size, lambda start, stop: _spread(spread, arrays, origin, present, start, stop))
        varying = int(np.count_nonzero(spread))
        kept = kept_count(selected, varying)
        if kept == 0:
            return least, []
        least = kth(spread, kept)
    sums = np.zeros((math.ceil(size / CHUNK), len(models)))
    each_chunk(size, lambda start, stop: _squares(sums[start // CHUNK], arrays, origin, present, least, start, stop))
    strengths = [math.fsum(column) for column in sums.T]
    total = math.fsum(strengths)
    return least, [strength / total for strength in strengths] if total > 0 else []


@kernel
def _variance(models: Inputs, base: Array, present: Factors, at: np.uint64) -> float:
    """Of the task vectors' entries, as float32: what positions are ranked by."""
    count, total, squares = 0.0, 0.0, 0.0
    for j in range(len(models)):
        count += present[j]
        total += (np.float64(models[j][at]) - np.float64(base[at])) * present[j]
    for j in range(len(models)):
        away = (np.float64(models[j][at]) - np.float64(base[at]) - total / count) * present[j]
        squares += away * away
    return np.float64(np.float32(squares / count))


@kernel
def _spread(out: Magnitudes, models: Inputs, base: Array, present: Factors, start: int, stop: int) -> None:
    for i in range(start, stop):
        at = np.uint64(i)
        out[at] = _variance(models, base, present, at)


@kernel
def _squares(
    squares: Floats, models: Inputs, base: Array, present: Factors, least: float, start: int, stop: int
) -> None:
    """Σ of squares over the selected positions, per input; entry i goes to partial sum i mod BLOCK."""
    partial = np.zeros(len(models) * BLOCK)
    for first in range(start, stop, BLOCK):
        for i in range(min(BLOCK, stop - first)):
            at = np.uint64(first + i)
            selected = _variance(models, base, present, at) >= least
            for j in range(len(models)):
                delta = np.float64(models[j][at]) - np.float64(base[at])
                partial[np.uint64(j * BLOCK + i)] += delta * delta if selected else 0.0
    for index in range(len(squares)):
        for i in range(BLOCK):
            squares[index] += partial[index * BLOCK + i]


@kernel
def _merge(
    out: Array,
    models: Inputs,
    base: Array,
    present: Factors,
    weights: Factors,
    least: float,
    scale: float,
    start: int,
    stop: int,
) -> None:
    for i in range(start, stop):
        at, total, agreed, divisor = np.uint64(i), 0.0, 0.0, 0.0
        for j in range(len(models)):
            total += (np.float64(models[j][at]) - np.float64(base[at])) * present[j]
        sign = 1.0 if total > 0 else (-1.0 if total < 0 else 0.0)
        for j in range(len(models)):
            delta = (np.float64(models[j][at]) - np.float64(base[at])) * present[j]
            agreed += delta * weights[j] if delta * sign > 0 else 0.0
            divisor += weights[j] if delta * sign > 0 else 0.0
        merged = agreed / (divisor if divisor > 0 else 1.0)
        taken = _variance(models, base, present, at) >= least
        out[at] = np.float64(base[at]) + (merged if taken else 0.0) * scale
