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
from .compiled import BLOCK, Array, Floats, alike, flat, kernel, many, padded
from .draw import LEVELS
from .philox import GROUP, Words, fill_group

Band = tuple[float, float]
"""Magnitudes [least, above), float32."""
EVERYTHING: Band = (0.0, np.inf)

Levels = npt.NDArray[np.uint16]
Ranks = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
"""Of a row's entries by magnitude, the smallest first, (rows · columns,)."""


FOUR = 4 * BLOCK
_1, _2, _3 = np.uint64(BLOCK), np.uint64(2 * BLOCK), np.uint64(3 * BLOCK)


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
    slope, scale, elected = (most - least) / max(1, columns - 1), outcome.scale, outcome.elected
    return made(
        base,
        lambda out, start, stop: _pruned(
            out, arrays, origin, weights, scale, elected, keys, order, least, slope, start, stop
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
    if len(weights) <= 4:
        part = slice(start, stop)
        a, b, c, d = models[0][part], models[1][part], models[2][part], models[3][part]
        _band_four(out[part], base[part], a, b, c, d, padded(weights), limits, scale, elected)
        return
    rows, sums = _scratch(len(weights))
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        origin = base[at : at + size]
        for index in range(len(weights)):
            row, model = rows[index * BLOCK : index * BLOCK + size], models[index][at : at + size]
            _band(row, model, origin, weights[index], limits[index, 0], limits[index, 1])
        _merge(out[at : at + size], origin, rows, weights, scale, elected, sums)


@kernel
def _band(row: Floats, model: Array, base: Array, weight: float, least: float, above: float) -> None:
    for i in range(len(row)):
        row[i] = _inside(np.float64(model[i]) - np.float64(base[i]), weight, least, above)


@kernel
def _inside(delta: float, weight: float, least: float, above: float) -> float:
    return delta * weight if (abs(delta) >= least) & (abs(delta) < above) else 0.0


@kernel
def _band_four(
    out: Array,
    base: Array,
    a: Array,
    b: Array,
    c: Array,
    d: Array,
    weights: Floats,
    limits: Floats,
    scale: float,
    elected: bool,
) -> None:
    """Up to four inputs, which is what a search has, in one loop: a third of the time that rows take."""
    count = len(limits)
    u, v, w, x = weights[0], weights[1], weights[2], weights[3]
    # what there is none of has weight 0, whatever its band
    second, third, fourth = min(1, count - 1), min(2, count - 1), min(3, count - 1)
    a0, b0, c0, d0 = limits[0, 0], limits[second, 0], limits[third, 0], limits[fourth, 0]
    a1, b1, c1, d1 = limits[0, 1], limits[second, 1], limits[third, 1], limits[fourth, 1]
    if elected:
        for i in range(len(out)):
            origin = np.float64(base[i])
            p, q = _inside(np.float64(a[i]) - origin, u, a0, a1), _inside(np.float64(b[i]) - origin, v, b0, b1)
            r, s = _inside(np.float64(c[i]) - origin, w, c0, c1), _inside(np.float64(d[i]) - origin, x, d0, d1)
            out[i] = origin + _mean_of_agreeing(p, q, r, s, abs(u), abs(v), abs(w), abs(x)) * scale
        return
    for i in range(len(out)):
        origin = np.float64(base[i])
        p, q = _inside(np.float64(a[i]) - origin, u, a0, a1), _inside(np.float64(b[i]) - origin, v, b0, b1)
        r, s = _inside(np.float64(c[i]) - origin, w, c0, c1), _inside(np.float64(d[i]) - origin, x, d0, d1)
        out[i] = origin + (0.0 + p + q + r + s) * scale


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
    if len(weights) <= 4:
        four, shares = np.zeros(4 * GROUP, dtype=np.uint32), padded(weights)
        for at in range(start, stop, BLOCK):
            part = slice(at, min(at + BLOCK, stop))
            for index in range(len(weights)):
                fill_group(four[index * GROUP : (index + 1) * GROUP], keys[index], at // BLOCK)
            a, b, c, d = models[0][part], models[1][part], models[2][part], models[3][part]
            chances = four.view(np.uint16)
            _drop_four(out[part], base[part], a, b, c, d, shares, chances, threshold, scale, elected)
        return
    rows, sums = _scratch(len(weights))
    drawn = np.empty(GROUP, dtype=np.uint32)
    levels = drawn.view(np.uint16)
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        origin = base[at : at + size]
        for index in range(len(weights)):
            fill_group(drawn, keys[index], at // BLOCK)
            row, model = rows[index * BLOCK : index * BLOCK + size], models[index][at : at + size]
            _drop(row, model, origin, weights[index], levels, threshold)
        _merge(out[at : at + size], origin, rows, weights, scale, elected, sums)


@kernel
def _drop(row: Floats, model: Array, base: Array, weight: float, levels: Levels, threshold: int) -> None:
    for i in range(len(row)):
        row[i] = _spared(np.float64(model[i]) - np.float64(base[i]), weight, levels[i], threshold)


@kernel
def _spared(delta: float, weight: float, level: int, threshold: int) -> float:
    return delta * weight if np.int32(level) >= np.int32(threshold) else 0.0


@kernel
def _drop_four(
    out: Array,
    base: Array,
    a: Array,
    b: Array,
    c: Array,
    d: Array,
    weights: Floats,
    levels: Levels,
    threshold: int,
    scale: float,
    elected: bool,
) -> None:
    """As `_band_four`, of a block. levels: (4 · BLOCK,)."""
    u, v, w, x = weights[0], weights[1], weights[2], weights[3]
    if elected:
        for i in range(len(out)):
            at, origin = np.uint64(i), np.float64(base[i])
            p = _spared(np.float64(a[i]) - origin, u, levels[at], threshold)
            q = _spared(np.float64(b[i]) - origin, v, levels[at + _1], threshold)
            r = _spared(np.float64(c[i]) - origin, w, levels[at + _2], threshold)
            s = _spared(np.float64(d[i]) - origin, x, levels[at + _3], threshold)
            out[i] = origin + _mean_of_agreeing(p, q, r, s, abs(u), abs(v), abs(w), abs(x)) * scale
        return
    for i in range(len(out)):
        at, origin = np.uint64(i), np.float64(base[i])
        p = _spared(np.float64(a[i]) - origin, u, levels[at], threshold)
        q = _spared(np.float64(b[i]) - origin, v, levels[at + _1], threshold)
        r = _spared(np.float64(c[i]) - origin, w, levels[at + _2], threshold)
        s = _spared(np.float64(d[i]) - origin, x, levels[at + _3], threshold)
        out[i] = origin + (0.0 + p + q + r + s) * scale


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
    slope: float,
    start: int,
    stop: int,
) -> None:
    if len(weights) <= 4:
        four, shares = np.zeros(4 * GROUP, dtype=np.uint32), padded(weights)
        for at in range(start, stop, BLOCK):
            part = slice(at, min(at + BLOCK, stop))
            for index in range(len(weights)):
                fill_group(four[index * GROUP : (index + 1) * GROUP], keys[index], at // BLOCK)
            a, b, c, d = models[0][part], models[1][part], models[2][part], models[3][part]
            e, f, g, h = ranks[0][part], ranks[1][part], ranks[2][part], ranks[3][part]
            chances = four.view(np.uint16)
            _prune_four(out[part], base[part], a, b, c, d, e, f, g, h, shares, chances, least, slope, scale, elected)
        return
    rows, sums = _scratch(len(weights))
    drawn = np.empty(GROUP, dtype=np.uint32)
    levels = drawn.view(np.uint16)
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        origin = base[at : at + size]
        for index in range(len(weights)):
            fill_group(drawn, keys[index], at // BLOCK)
            row, model = rows[index * BLOCK : index * BLOCK + size], models[index][at : at + size]
            _prune(row, model, origin, weights[index], levels, ranks[index][at : at + size], least, slope)
        _merge(out[at : at + size], origin, rows, weights, scale, elected, sums)


@kernel
def _prune(
    row: Floats, model: Array, base: Array, weight: float, levels: Levels, ranks: Ranks, least: float, slope: float
) -> None:
    for i in range(len(row)):
        delta = np.float64(model[i]) - np.float64(base[i])
        row[i] = _rescaled(delta, weight, levels[i], least + np.float64(ranks[i]) * slope)


@kernel
def _rescaled(delta: float, weight: float, level: int, kept: float) -> float:
    weighed = delta / (kept if kept > 0 else 1.0) * weight
    return weighed if np.float64(level) < np.rint(kept * LEVELS) else 0.0


@kernel
def _prune_four(
    out: Array,
    base: Array,
    a: Array,
    b: Array,
    c: Array,
    d: Array,
    e: Ranks,
    f: Ranks,
    g: Ranks,
    h: Ranks,
    weights: Floats,
    levels: Levels,
    least: float,
    slope: float,
    scale: float,
    elected: bool,
) -> None:
    """As `_drop_four`. e to h: ranks of the entries of a to d."""
    u, v, w, x = weights[0], weights[1], weights[2], weights[3]
    if elected:
        for i in range(len(out)):
            at, origin = np.uint64(i), np.float64(base[i])
            p = _rescaled(np.float64(a[i]) - origin, u, levels[at], least + np.float64(e[i]) * slope)
            q = _rescaled(np.float64(b[i]) - origin, v, levels[at + _1], least + np.float64(f[i]) * slope)
            r = _rescaled(np.float64(c[i]) - origin, w, levels[at + _2], least + np.float64(g[i]) * slope)
            s = _rescaled(np.float64(d[i]) - origin, x, levels[at + _3], least + np.float64(h[i]) * slope)
            out[i] = origin + _mean_of_agreeing(p, q, r, s, abs(u), abs(v), abs(w), abs(x)) * scale
        return
    for i in range(len(out)):
        at, origin = np.uint64(i), np.float64(base[i])
        p = _rescaled(np.float64(a[i]) - origin, u, levels[at], least + np.float64(e[i]) * slope)
        q = _rescaled(np.float64(b[i]) - origin, v, levels[at + _1], least + np.float64(f[i]) * slope)
        r = _rescaled(np.float64(c[i]) - origin, w, levels[at + _2], least + np.float64(g[i]) * slope)
        s = _rescaled(np.float64(d[i]) - origin, x, levels[at + _3], least + np.float64(h[i]) * slope)
        out[i] = origin + (0.0 + p + q + r + s) * scale


@kernel
def _scratch(count: int) -> tuple[Floats, Floats]:
    """A row of wᵢτᵢ for each input and some of zeros, so that there are four or eight or …, and `_merge`'s three."""
    return np.zeros((count + 3) // 4 * FOUR), np.empty(3 * BLOCK)


@kernel
def _mean_of_agreeing(a: float, b: float, c: float, d: float, w0: float, w1: float, w2: float, w3: float) -> float:
    """Of four wᵢτᵢ those of the sign of their sum, over their |wᵢ|; 0 where they sum to 0."""
    total = 0.0 + a + b + c + d
    sign = 1.0 if total > 0 else -1.0
    a, b, c, d = a * sign, b * sign, c * sign, d * sign
    agreed = (a if a > 0 else 0.0) + (b if b > 0 else 0.0) + (c if c > 0 else 0.0) + (d if d > 0 else 0.0)
    divisor = (w0 if a > 0 else 0.0) + (w1 if b > 0 else 0.0) + (w2 if c > 0 else 0.0) + (w3 if d > 0 else 0.0)
    mean = agreed / (divisor if divisor > 0 else 1.0)
    return mean * sign if total != 0 else 0.0


@kernel
def _merge(out: Array, base: Array, rows: Floats, weights: Floats, scale: float, elected: bool, sums: Floats) -> None:
    """rows: of each input, wᵢτᵢ. Four are taken at once, which saves two loads and stores of a sum in three."""
    for at in range(0, len(rows), FOUR):
        _sum(sums, rows[at : at + FOUR], at > 0)
    if not elected:
        _add(out, base, sums, scale)
        return
    for first in range(0, len(weights), 4):
        four = padded(weights[first : first + 4])
        part = rows[first * BLOCK : first * BLOCK + FOUR]
        _vote(sums, part, abs(four[0]), abs(four[1]), abs(four[2]), abs(four[3]), first > 0)
    _add_mean(out, base, sums, scale)


# unsigned places in few arrays below: else there is too much that the compiler would have to prove


@kernel
def _sum(sums: Floats, rows: Floats, more: bool) -> None:
    """Four rows into the first of the sums, Σ wᵢτᵢ. more: there are some in it already."""
    for i in range(BLOCK):
        at = np.uint64(i)
        before = sums[at] if more else 0.0
        sums[at] = before + rows[at] + rows[at + _1] + rows[at + _2] + rows[at + _3]


@kernel
def _vote(sums: Floats, rows: Floats, w0: float, w1: float, w2: float, w3: float, more: bool) -> None:
    """Into the second and third of the sums, of those of four rows that agree with the first: Σ|wᵢτᵢ| and Σ|wᵢ|."""
    for i in range(BLOCK):
        at = np.uint64(i)
        sign = 1.0 if sums[at] > 0 else -1.0
        a, b, c, d = rows[at] * sign, rows[at + _1] * sign, rows[at + _2] * sign, rows[at + _3] * sign
        agreed, divisor = sums[at + _1] if more else 0.0, sums[at + _2] if more else 0.0
        agreed = agreed + (a if a > 0 else 0.0) + (b if b > 0 else 0.0) + (c if c > 0 else 0.0) + (d if d > 0 else 0.0)
        divisor = divisor + (w0 if a > 0 else 0.0) + (w1 if b > 0 else 0.0)
        divisor = divisor + (w2 if c > 0 else 0.0) + (w3 if d > 0 else 0.0)
        sums[at + _1], sums[at + _2] = agreed, divisor


@kernel
def _add(out: Array, base: Array, sums: Floats, scale: float) -> None:
    for i in range(len(out)):
        out[i] = np.float64(base[i]) + sums[i] * scale


@kernel
def _add_mean(out: Array, base: Array, sums: Floats, scale: float) -> None:
    totals, agreed, divisors = sums[:BLOCK], sums[BLOCK : 2 * BLOCK], sums[2 * BLOCK :]
    for i in range(len(out)):
        mean = agreed[i] / (divisors[i] if divisors[i] > 0 else 1.0)
        signed = mean if totals[i] > 0 else (-mean if totals[i] < 0 else 0.0)
        out[i] = np.float64(base[i]) + signed * scale
