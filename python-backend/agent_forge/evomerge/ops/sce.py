from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field
from torch import Tensor

from .chunks import CHUNK, each_chunk, made
from .compiled import BLOCK, Array, Floats, clear, copy, flat, kernel, many, padded
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
def _read(rows: Floats, sums: Floats, models: tuple[Array, ...], base: Array, at: int, size: int) -> None:
    """The task vectors' entries from `at` on, (inputs, BLOCK), and their variance, mean and sum, (3, BLOCK)."""
    count, variance, mean, total = len(rows), sums[0], sums[1], sums[2]
    clear(total)
    clear(variance)
    for index in range(count):
        _subtract(rows[index, :size], total[:size], models[index][at : at + size], base[at : at + size])
    for i in range(BLOCK):
        mean[i] = total[i] / count
    for index in range(count):
        _add_square(variance[:size], rows[index, :size], mean[:size])
    for i in range(BLOCK):
        # float32: what positions are ranked by
        variance[i] = np.float64(np.float32(variance[i] / count))


@kernel
def _subtract(row: Floats, total: Floats, model: Array, base: Array) -> None:
    for i in range(len(row)):
        delta = np.float64(model[i]) - np.float64(base[i])
        row[i] = delta
        total[i] = total[i] + delta


@kernel
def _add_square(total: Floats, row: Floats, mean: Floats) -> None:
    for i in range(len(row)):
        away = row[i] - mean[i]
        total[i] = total[i] + away * away


@kernel
def _spread(
    out: npt.NDArray[np.float32], models: tuple[Array, ...], count: int, base: Array, start: int, stop: int
) -> None:
    if count <= 4:
        part = slice(start, stop)
        _spread_four(out[part], base[part], models[0][part], models[1][part], models[2][part], models[3][part], count)
        return
    rows, sums = np.empty((count, BLOCK)), np.empty((3, BLOCK))
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        _read(rows, sums, models, base, at, size)
        copy(out[at : at + size], sums[0, :size])


@kernel
def _squares(squares: Floats, models: tuple[Array, ...], base: Array, least: float, start: int, stop: int) -> None:
    """Σ of squares over the selected positions, per input; entry i goes to partial sum i mod BLOCK."""
    count = len(squares)
    rows, sums, partial = np.empty((count, BLOCK)), np.empty((3, BLOCK)), np.zeros((count, BLOCK))
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        _read(rows, sums, models, base, at, size)
        for index in range(count):
            _add_selected(partial[index, :size], rows[index, :size], sums[0, :size], least)
    for index in range(count):
        for i in range(BLOCK):
            squares[index] += partial[index, i]


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
    if count <= 4:
        part = slice(start, stop)
        a, b, c, d = models[0][part], models[1][part], models[2][part], models[3][part]
        _merge_four(out[part], base[part], a, b, c, d, weights, least, scale)
        return
    rows, sums, votes = np.empty((count, BLOCK)), np.empty((3, BLOCK)), np.empty((2, BLOCK))
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        agreed, divisor = votes[0, :size], votes[1, :size]
        _read(rows, sums, models, base, at, size)
        _elect(sums[2])
        clear(agreed)
        clear(divisor)
        for index in range(count):
            _agree(agreed, divisor, rows[index, :size], sums[2, :size], weights[index])
        _add(out[at : at + size], base[at : at + size], agreed, divisor, sums[0, :size], least, scale)


@kernel
def _elect(total: Floats) -> None:
    """Their signs instead."""
    for i in range(len(total)):
        total[i] = 1.0 if total[i] > 0 else (-1.0 if total[i] < 0 else 0.0)


@kernel
def _agree(agreed: Floats, divisor: Floats, row: Floats, sign: Floats, weight: float) -> None:
    for i in range(len(row)):
        agrees = row[i] * sign[i] > 0
        agreed[i] = agreed[i] + (row[i] * weight if agrees else 0.0)
        divisor[i] = divisor[i] + (weight if agrees else 0.0)


@kernel
def _add(
    out: Array, base: Array, agreed: Floats, divisor: Floats, variance: Floats, least: float, scale: float
) -> None:
    for i in range(len(out)):
        merged = agreed[i] / (divisor[i] if divisor[i] > 0 else 1.0)
        out[i] = np.float64(base[i]) + (merged if variance[i] >= least else 0.0) * scale


# Up to four inputs, which is what a search has, in one loop.


@kernel
def _variance(a: float, b: float, c: float, d: float, count: int) -> float:
    """Of the first `count`; what comes after is 0."""
    mean = (0.0 + a + b + c + d) / count
    p, q = a - mean, b - mean if count > 1 else 0.0
    r, s = c - mean if count > 2 else 0.0, d - mean if count > 3 else 0.0
    return np.float64(np.float32((0.0 + p * p + q * q + r * r + s * s) / count))


@kernel
def _spread_four(out: npt.NDArray[np.float32], base: Array, a: Array, b: Array, c: Array, d: Array, count: int) -> None:
    second, third, fourth = 1.0 if count > 1 else 0.0, 1.0 if count > 2 else 0.0, 1.0 if count > 3 else 0.0
    for i in range(len(out)):
        origin = np.float64(base[i])
        p, q = np.float64(a[i]) - origin, (np.float64(b[i]) - origin) * second
        r, s = (np.float64(c[i]) - origin) * third, (np.float64(d[i]) - origin) * fourth
        out[i] = _variance(p, q, r, s, count)


@kernel
def _merge_four(
    out: Array, base: Array, a: Array, b: Array, c: Array, d: Array, weights: Floats, least: float, scale: float
) -> None:
    count = len(weights)
    second, third, fourth = 1.0 if count > 1 else 0.0, 1.0 if count > 2 else 0.0, 1.0 if count > 3 else 0.0
    four = padded(weights)
    u, v, w, x = four[0], four[1], four[2], four[3]
    for i in range(len(out)):
        origin = np.float64(base[i])
        p, q = np.float64(a[i]) - origin, (np.float64(b[i]) - origin) * second
        r, s = (np.float64(c[i]) - origin) * third, (np.float64(d[i]) - origin) * fourth
        variance = _variance(p, q, r, s, count)
        total = 0.0 + p + q + r + s
        sign = 1.0 if total > 0 else (-1.0 if total < 0 else 0.0)
        agreed = (p * u if p * sign > 0 else 0.0) + (q * v if q * sign > 0 else 0.0)
        agreed = agreed + (r * w if r * sign > 0 else 0.0) + (s * x if s * sign > 0 else 0.0)
        divisor = (u if p * sign > 0 else 0.0) + (v if q * sign > 0 else 0.0)
        divisor = divisor + (w if r * sign > 0 else 0.0) + (x if s * sign > 0 else 0.0)
        merged = agreed / (divisor if divisor > 0 else 1.0)
        out[i] = origin + (merged if variance >= least else 0.0) * scale
