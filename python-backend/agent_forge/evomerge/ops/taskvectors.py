"""Merges about a base: task vectors τᵢ = θᵢ − θ₀, of which some entries are kept, then summed or put to the vote.

All in float64 over rows of a few entries, which stay in the first-level cache from one step to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from .chunks import made, row_shape
from .compiled import BLOCK, Array, Floats, alike, clear, flat, kernel, many
from .draw import LEVELS
from .philox import GROUP, Words, fill_group

Band = tuple[float, float]
"""Magnitudes [least, above), float32."""
EVERYTHING: Band = (0.0, np.inf)

Levels = npt.NDArray[np.uint16]
Ranks = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
"""Of a row's entries by magnitude, the smallest first, (rows · columns,)."""


@dataclass(frozen=True)
class Outcome:
    """What the task vectors become: θ₀ + λ·Σ wᵢτᵢ; or, elected, the mean of those that agree.

    Elected: the sign of Σ wᵢτᵢ per entry, then Σ wᵢτᵢ / Σ|wᵢ| over the inputs whose wᵢτᵢ has it (Yadav et al. 2023,
    algorithm 1, steps 2 and 3). 0 where no sign is elected; mergekit elects + where the sum is exactly 0, which has
    no basis in the paper.
    """

    weights: Sequence[float]
    scale: float
    elected: bool = False


def banded(models: Sequence[Tensor], base: Tensor, bands: Sequence[Band], outcome: Outcome) -> Tensor:
    """Of each task vector the entries whose magnitude lies in its band."""
    arrays, origin = many(models), flat(base)
    weights, limits = np.array(outcome.weights, dtype=np.float64), np.vectorize(_edge, otypes=[np.float64])(bands)
    scale, elected = outcome.scale, outcome.elected
    return made(
        base, lambda out, start, stop: _banded(out, arrays, origin, weights, scale, elected, limits, start, stop)
    )


def dropped(
    models: Sequence[Tensor], base: Tensor, streams: Sequence[Words], drop_rate: float, outcome: Outcome
) -> Tensor:
    """Each entry is dropped with probability `drop_rate`, to 2⁻¹⁷: entry i where the 16-bit integer number i of its
    input's stream is below."""
    arrays, origin, keys = many(models), flat(base), np.stack(streams)
    weights, threshold = np.array(outcome.weights, dtype=np.float64), round(drop_rate * LEVELS)
    scale, elected = outcome.scale, outcome.elected
    return made(
        base,
        lambda out, start, stop: _dropped(out, arrays, origin, weights, scale, elected, keys, threshold, start, stop),
    )


def pruned(
    models: Sequence[Tensor],
    base: Tensor,
    ranks: Sequence[Ranks],
    streams: Sequence[Words],
    kept: tuple[float, float],
    outcome: Outcome,
) -> Tensor:
    """Each entry is kept with a probability that rises evenly with its rank, to 2⁻¹⁷, and divided by it.

    kept: from the smallest entry of a row to the largest; a lone entry has the mean.
    """
    arrays, origin, keys, order = many(models), flat(base), np.stack(streams), alike(ranks)
    weights, (least, most), columns = np.array(outcome.weights, dtype=np.float64), kept, row_shape(base)[1]
    if columns == 1:
        least = most = (least + most) / 2
    steps, span = float(max(1, columns - 1)), most - least
    scale, elected = outcome.scale, outcome.elected
    return made(
        base,
        lambda out, start, stop: _pruned(
            out, arrays, origin, weights, scale, elected, keys, order, least, span, steps, start, stop
        ),
    )


def _edge(size: float) -> float:
    """The least float64 that is `size` or more when it is rounded to float32."""
    if size in (0, np.inf):
        return size
    edge = np.float32(size)
    middle = (float(np.nextafter(edge, np.float32(0))) + float(edge)) / 2
    return middle if np.float32(middle) >= edge else float(np.nextafter(middle, np.inf))


@kernel
def _banded(
    out: Array,
    models: tuple[Array, ...],
    base: Array,
    weights: Floats,
    scale: float,
    elected: bool,
    limits: Floats,
    start: int,
    stop: int,
) -> None:
    rows, sums = np.empty((len(weights), BLOCK)), np.empty((3, BLOCK))
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        origin = base[at : at + size]
        for row in range(3):
            clear(sums[row])
        for index in range(len(weights)):
            _band(
                rows[index, :size],
                sums[0, :size],
                elected,
                models[index][at : at + size],
                origin,
                weights[index],
                limits[index, 0],
                limits[index, 1],
            )
        _merge(out[at : at + size], origin, rows, weights, scale, elected, sums)


@kernel
def _band(
    row: Floats, total: Floats, elected: bool, model: Array, base: Array, weight: float, least: float, above: float
) -> None:
    for i in range(len(total)):
        delta = np.float64(model[i]) - np.float64(base[i])
        weighed: float = delta * weight if (abs(delta) >= least) & (abs(delta) < above) else 0.0
        if elected:
            row[i] = weighed
        total[i] = total[i] + weighed


@kernel
def _dropped(
    out: Array,
    models: tuple[Array, ...],
    base: Array,
    weights: Floats,
    scale: float,
    elected: bool,
    keys: Words,
    threshold: int,
    start: int,
    stop: int,
) -> None:
    rows, sums = np.empty((len(weights), BLOCK)), np.empty((3, BLOCK))
    drawn = np.empty(GROUP, dtype=np.uint32)
    levels = drawn.view(np.uint16)
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        origin = base[at : at + size]
        for row in range(3):
            clear(sums[row])
        for index in range(len(weights)):
            fill_group(drawn, keys[index], at // BLOCK)
            _drop(
                rows[index, :size],
                sums[0, :size],
                elected,
                models[index][at : at + size],
                origin,
                weights[index],
                levels,
                threshold,
            )
        _merge(out[at : at + size], origin, rows, weights, scale, elected, sums)


@kernel
def _drop(
    row: Floats, total: Floats, elected: bool, model: Array, base: Array, weight: float, levels: Levels, threshold: int
) -> None:
    for i in range(len(total)):
        weighed: float = (np.float64(model[i]) - np.float64(base[i])) * weight
        weighed = weighed if np.int32(levels[i]) >= np.int32(threshold) else 0.0
        if elected:
            row[i] = weighed
        total[i] = total[i] + weighed


@kernel
def _pruned(
    out: Array,
    models: tuple[Array, ...],
    base: Array,
    weights: Floats,
    scale: float,
    elected: bool,
    keys: Words,
    ranks: tuple[Ranks, ...],
    least: float,
    span: float,
    steps: float,
    start: int,
    stop: int,
) -> None:
    rows, sums = np.empty((len(weights), BLOCK)), np.empty((3, BLOCK))
    drawn = np.empty(GROUP, dtype=np.uint32)
    levels = drawn.view(np.uint16)
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        origin = base[at : at + size]
        for row in range(3):
            clear(sums[row])
        for index in range(len(weights)):
            fill_group(drawn, keys[index], at // BLOCK)
            _prune(
                rows[index, :size],
                sums[0, :size],
                elected,
                models[index][at : at + size],
                origin,
                weights[index],
                levels,
                ranks[index][at : at + size],
                least,
                span,
                steps,
            )
        _merge(out[at : at + size], origin, rows, weights, scale, elected, sums)


@kernel
def _prune(
    row: Floats,
    total: Floats,
    elected: bool,
    model: Array,
    base: Array,
    weight: float,
    levels: Levels,
    ranks: Ranks,
    least: float,
    span: float,
    steps: float,
) -> None:
    for i in range(len(total)):
        kept = least + np.float64(ranks[i]) / steps * span
        weighed: float = (np.float64(model[i]) - np.float64(base[i])) / (kept if kept > 0 else 1.0) * weight
        weighed = weighed if np.float64(levels[i]) < np.rint(kept * LEVELS) else 0.0
        if elected:
            row[i] = weighed
        total[i] = total[i] + weighed


@kernel
def _merge(out: Array, base: Array, rows: Floats, weights: Floats, scale: float, elected: bool, sums: Floats) -> None:
    """rows: (inputs, BLOCK), wᵢτᵢ where elected; sums: (3, BLOCK), their sum and zeros."""
    size = len(out)
    if not elected:
        _add(out, base, sums[0, :size], scale)
        return
    for index in range(len(weights)):
        _vote(rows[index, :size], sums[0, :size], sums[1, :size], sums[2, :size], abs(weights[index]))
    _add_mean(out, base, sums[0, :size], sums[1, :size], sums[2, :size], scale)


@kernel
def _add(out: Array, base: Array, total: Floats, scale: float) -> None:
    for i in range(len(out)):
        out[i] = np.float64(base[i]) + total[i] * scale


@kernel
def _vote(row: Floats, total: Floats, agreed: Floats, divisor: Floats, weight: float) -> None:
    for i in range(len(row)):
        signed = row[i] if total[i] > 0 else -row[i]
        agreed[i] = agreed[i] + (signed if signed > 0 else 0.0)
        divisor[i] = divisor[i] + (weight if signed > 0 else 0.0)


@kernel
def _add_mean(out: Array, base: Array, total: Floats, agreed: Floats, divisor: Floats, scale: float) -> None:
    for i in range(len(out)):
        mean = agreed[i] / (divisor[i] if divisor[i] > 0 else 1.0)
        signed = mean if total[i] > 0 else (-mean if total[i] < 0 else 0.0)
        out[i] = np.float64(base[i]) + signed * scale
