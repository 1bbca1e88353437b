from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor

from .chunks import CHUNK, each_read, made
from .compiled import BLOCK, Array, Factors, Floats, Inputs, filled, kernel, present_of
from .registry import Scale, Tensors, merge_op
from .statistics_cache import StatisticsCache
from .taskvectors import about
from .trim import Magnitudes, kept_count, kth


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
    present, shares = present_of(models), filled(weights, 0.0)
    return made([*models, base], lambda out, arrays, first: _merge(out, *about(arrays), present, shares, least, scale))


def _selection(models: Sequence[Tensor], base: Tensor, selected: float) -> tuple[float, list[float]]:
    """The least variance that is selected, and the models' weights; none where nothing is left."""
    everyone, present, chunks = [*models, base], present_of(models), math.ceil(base.numel() / CHUNK)
    least = 0.0
    if selected < 1:
        varying = np.zeros(chunks, dtype=np.int64)

        def count(arrays: Inputs, start: int, stop: int) -> None:
            varying[start // CHUNK] = _varying(*about(arrays), present)

        each_read(everyone, count)
        kept = kept_count(selected, int(varying.sum()))
        if kept == 0:
            return least, []
        least = kth(everyone, lambda out, arrays, first, stride: _spread(out, *about(arrays), present), kept)
    sums = np.zeros((chunks, len(models)))
    each_read(
        everyone,
        lambda arrays, start, stop: _squares(sums[start // CHUNK], *about(arrays), present, least),
    )
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
def _spread(out: Magnitudes, models: Inputs, base: Array, present: Factors) -> None:
    for i in range(len(out)):
        at = np.uint64(i)
        out[at] = _variance(models, base, present, at)


@kernel
def _varying(models: Inputs, base: Array, present: Factors) -> int:
    count = 0
    for i in range(len(base)):
        count += 1 if _variance(models, base, present, np.uint64(i)) > 0 else 0
    return count


@kernel
def _squares(squares: Floats, models: Inputs, base: Array, present: Factors, least: float) -> None:
    """Σ of squares over the selected positions, per input; entry i goes to partial sum i mod BLOCK."""
    partial = np.zeros(len(models) * BLOCK)
    for first in range(0, len(base), BLOCK):
        for i in range(min(BLOCK, len(base) - first)):
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
) -> None:
    for i in range(len(out)):
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
