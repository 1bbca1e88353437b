from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field
from torch import Tensor

from .chunks import CHUNK, each_chunk, made
from .compiled import BLOCK, Array, Floats, clear, copy, flat, kernel, many
from .known import Known
from .registry import Scale, Tensors, merge_op
from .trim import kept_count, kth, scratch


@merge_op(source="Wan et al. 2024, FuseChat, arXiv:2408.07990")
def sce(
    models: Tensors,
    base: Tensor,
    known: Known,
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
    squares sum to less than 1e-6; may select none; elects + where the sum is 0. It has no λ: its is 1.
    """
    least, weights = known(range(len(models)), ("sce", selected), lambda: _selection(models, base, selected))
    if not weights:
        return base
    arrays, origin, shares = many(models), flat(base), np.array(weights)
    return made(base, lambda out, start, stop: _merge(out, arrays, origin, shares, least, scale, start, stop))


def _selection(models: Sequence[Tensor], base: Tensor, selected: float) -> tuple[float, list[float]]:
    """The least variance that is selected, and the models' weights; none where nothing is left."""
    arrays, origin, count, size = many(models), flat(base), len(models), base.numel()
    least = 0.0
    if selected < 1:
        spread = scratch(size)
        each_chunk(size, lambda start, stop: _spread(spread, arrays, count, origin, start, stop))
        varying = int(np.count_nonzero(spread))
        kept = kept_count(selected, varying)
        if kept == 0:
            return least, []
        least = kth(spread, kept)
    sums = np.zeros((math.ceil(size / CHUNK), count))
    each_chunk(size, lambda start, stop: _squares(sums[start // CHUNK], arrays, origin, least, start, stop))
    strengths = [math.fsum(column) for column in sums.T]
    total = math.fsum(strengths)
    return least, [strength / total for strength in strengths] if total > 0 else []


@kernel
def _read(
    rows: Floats, variance: Floats, mean: Floats, models: tuple[Array, ...], base: Array, at: int, size: int
) -> None:
    """The task vectors' entries from `at` on, (inputs, BLOCK), and their variance across the inputs, (BLOCK,)."""
    count = len(rows)
    clear(mean)
    clear(variance)
    for index in range(count):
        _subtract(rows[index, :size], mean[:size], models[index][at : at + size], base[at : at + size], count)
    for index in range(count):
        _add_square(variance[:size], rows[index, :size], mean[:size])
    for i in range(size):
        # float32: what positions are ranked by
        variance[i] = np.float64(np.float32(variance[i] / count))


@kernel
def _subtract(row: Floats, mean: Floats, model: Array, base: Array, count: int) -> None:
    for i in range(len(row)):
        row[i] = np.float64(model[i]) - np.float64(base[i])
        mean[i] = mean[i] + row[i] / count


@kernel
def _add_square(total: Floats, row: Floats, mean: Floats) -> None:
    for i in range(len(row)):
        away = row[i] - mean[i]
        total[i] = total[i] + away * away


@kernel
def _spread(
    out: npt.NDArray[np.float32], models: tuple[Array, ...], count: int, base: Array, start: int, stop: int
) -> None:
    rows, variance, mean = np.empty((count, BLOCK)), np.empty(BLOCK), np.empty(BLOCK)
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        _read(rows, variance, mean, models, base, at, size)
        copy(out[at : at + size], variance[:size])


@kernel
def _squares(sums: Floats, models: tuple[Array, ...], base: Array, least: float, start: int, stop: int) -> None:
    """Σ of squares over the selected positions, per input; entry i goes to partial sum i mod BLOCK."""
    count = len(sums)
    rows, variance, mean, partial = np.empty((count, BLOCK)), np.empty(BLOCK), np.empty(BLOCK), np.zeros((count, BLOCK))
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        _read(rows, variance, mean, models, base, at, size)
        for index in range(count):
            _add_selected(partial[index, :size], rows[index, :size], variance[:size], least)
    for index in range(count):
        for i in range(BLOCK):
            sums[index] += partial[index, i]


@kernel
def _add_selected(total: Floats, row: Floats, variance: Floats, least: float) -> None:
    for i in range(len(row)):
        total[i] = total[i] + (row[i] * row[i] if variance[i] >= least else 0.0)


@kernel
def _merge(
    out: Array,
    models: tuple[Array, ...],
    base: Array,
    weights: Floats,
    least: float,
    scale: float,
    start: int,
    stop: int,
) -> None:
    count = len(weights)
    rows, variance, sums = np.empty((count, BLOCK)), np.empty(BLOCK), np.empty((3, BLOCK))
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        total, mean, divisor = sums[0, :size], sums[1, :size], sums[2, :size]
        _read(rows, variance, sums[0], models, base, at, size)
        for row in range(3):
            clear(sums[row])
        for index in range(count):
            for i in range(size):
                total[i] = total[i] + rows[index, i]
        for index in range(count):
            _agree(mean, divisor, rows[index, :size], total, weights[index])
        _add(out[at : at + size], base[at : at + size], mean, divisor, variance[:size], least, scale)


@kernel
def _agree(mean: Floats, divisor: Floats, row: Floats, total: Floats, weight: float) -> None:
    for i in range(len(row)):
        agrees = ((row[i] > 0) & (total[i] > 0)) | ((row[i] < 0) & (total[i] < 0))
        mean[i] = mean[i] + (row[i] * weight if agrees else 0.0)
        divisor[i] = divisor[i] + (weight if agrees else 0.0)


@kernel
def _add(out: Array, base: Array, mean: Floats, divisor: Floats, variance: Floats, least: float, scale: float) -> None:
    for i in range(len(out)):
        merged = mean[i] / (divisor[i] if divisor[i] > 0 else 1.0)
        out[i] = np.float64(base[i]) + (merged if variance[i] >= least else 0.0) * scale
