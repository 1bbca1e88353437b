"""Weighted sums of models, and the sums over entries that their weights are made from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from torch import Tensor

from .chunks import CHUNK, each_chunk, made
from .compiled import BLOCK, Array, Floats, copy, flat, kernel, many
from .known import Known

LANES = 256
"""Partial sums that a sum is made of: so many independent ones fill vectors, and those of four tensors the cache."""
STEP = 4 * LANES
_1, _2, _3 = np.uint64(LANES), np.uint64(2 * LANES), np.uint64(3 * LANES)


def combined(models: Sequence[Tensor], factors: Sequence[float]) -> Tensor:
    """Σ factorᵢ · modelᵢ, in float64, from left to right."""
    arrays, weights = many(models), np.array(factors, dtype=np.float64)
    return made(models[0], lambda out, start, stop: _combine(out, arrays, weights, start, stop))


@kernel
def _combine(out: Array, models: tuple[Array, ...], factors: Floats, start: int, stop: int) -> None:
    part = slice(start, stop)
    # few, as in a search, in one loop: half of the time
    if len(factors) == 2:
        _combine_two(out[part], models[0][part], models[1][part], factors[0], factors[1])
        return
    if len(factors) == 3:
        a, b, c = models[0][part], models[1][part], models[2][part]
        _combine_three(out[part], a, b, c, factors[0], factors[1], factors[2])
        return
    if len(factors) == 4:
        a, b, c, d = models[0][part], models[1][part], models[2][part], models[3][part]
        _combine_four(out[part], a, b, c, d, factors[0], factors[1], factors[2], factors[3])
        return
    row = np.empty(BLOCK)
    for at in range(start, stop, BLOCK):
        count = min(BLOCK, stop - at)
        _first(row[:count], models[0][at : at + count], factors[0])
        for index in range(1, len(factors)):
            _further(row[:count], models[index][at : at + count], factors[index])
        copy(out[at : at + count], row[:count])


@kernel
def _combine_two(out: Array, a: Array, b: Array, p: float, q: float) -> None:
    for i in range(len(out)):
        out[i] = np.float64(a[i]) * p + np.float64(b[i]) * q


@kernel
def _combine_three(out: Array, a: Array, b: Array, c: Array, p: float, q: float, r: float) -> None:
    for i in range(len(out)):
        out[i] = np.float64(a[i]) * p + np.float64(b[i]) * q + np.float64(c[i]) * r


@kernel
def _combine_four(out: Array, a: Array, b: Array, c: Array, d: Array, p: float, q: float, r: float, s: float) -> None:
    for i in range(len(out)):
        out[i] = np.float64(a[i]) * p + np.float64(b[i]) * q + np.float64(c[i]) * r + np.float64(d[i]) * s


@kernel
def _first(row: Floats, model: Array, factor: float) -> None:
    for i in range(len(row)):
        row[i] = np.float64(model[i]) * factor


@kernel
def _further(row: Floats, model: Array, factor: float) -> None:
    for i in range(len(row)):
        row[i] += np.float64(model[i]) * factor


def inner_products_of(inputs: Sequence[Tensor], known: Known, *others: Tensor) -> list[list[float]]:
    """As `inner_products`, of all inputs and of others that follow from them and the base."""
    what = "inner products", len(others)
    return known(range(len(inputs)), what, partial(inner_products, [*inputs, *others]))


def inner_products(tensors: Sequence[Tensor]) -> list[list[float]]:
    """Σ aᵢbᵢ of every two flattened tensors, float64; each tensor is read once."""
    count, size = len(tensors), tensors[0].numel()
    arrays = many(tensors)
    sums = np.zeros((math.ceil(size / CHUNK), count, count))
    each_chunk(size, lambda start, stop: _products(sums[start // CHUNK], arrays, start, stop))
    return [[math.fsum(sums[:, min(i, j), max(i, j)]) for j in range(count)] for i in range(count)]


@kernel
def _products(sums: Floats, arrays: tuple[Array, ...], start: int, stop: int) -> None:
    """Fills the upper triangle of sums. Entry i of a chunk goes to the partial sum numbered i mod LANES.

    Tensors are taken by two, and entries by four of a lane, so that few widenings and stores go with many products.
    """
    count = len(sums)
    pairs = (count + 1) // 2
    squares, others = np.zeros((pairs, 3 * LANES)), np.zeros((pairs, count, 2 * LANES))
    ends = np.zeros((count, STEP), dtype=arrays[0].dtype)
    for at in range(start, stop, STEP):
        size = min(STEP, stop - at)
        if size < STEP:
            for i in range(count):
                copy(ends[i, :size], arrays[i][at : at + size])
        for pair in range(pairs):
            i = 2 * pair
            a = arrays[i][at : at + STEP] if size == STEP else ends[i]
            if i + 1 == count:
                _square(squares[pair], a)
                continue
            b = arrays[i + 1][at : at + STEP] if size == STEP else ends[i + 1]
            _within(squares[pair], a, b)
            for j in range(i + 2, count):
                _across(others[pair, j], a, b, arrays[j][at : at + STEP] if size == STEP else ends[j])
    for pair in range(pairs):
        i = 2 * pair
        sums[i, i] = total(squares[pair, :LANES])
        if i + 1 < count:
            sums[i, i + 1], sums[i + 1, i + 1] = (
                total(squares[pair, LANES : 2 * LANES]),
                total(squares[pair, 2 * LANES :]),
            )
        for j in range(i + 2, count):
            sums[i, j], sums[i + 1, j] = total(others[pair, j, :LANES]), total(others[pair, j, LANES:])


# unsigned places and one array of sums below: else there is too much that the compiler would have to prove


@kernel
def _square(sums: Floats, a: Array) -> None:
    """Adds aa, four of a lane's at once."""
    for i in range(LANES):
        at = np.uint64(i)
        a0, a1, a2, a3 = np.float64(a[at]), np.float64(a[at + _1]), np.float64(a[at + _2]), np.float64(a[at + _3])
        sums[at] += (a0 * a0 + a1 * a1) + (a2 * a2 + a3 * a3)


@kernel
def _within(sums: Floats, a: Array, b: Array) -> None:
    """Adds aa, ab and bb to three times LANES partial sums."""
    for i in range(LANES):
        at = np.uint64(i)
        a0, a1, a2, a3 = np.float64(a[at]), np.float64(a[at + _1]), np.float64(a[at + _2]), np.float64(a[at + _3])
        b0, b1, b2, b3 = np.float64(b[at]), np.float64(b[at + _1]), np.float64(b[at + _2]), np.float64(b[at + _3])
        sums[at] += (a0 * a0 + a1 * a1) + (a2 * a2 + a3 * a3)
        sums[at + _1] += (a0 * b0 + a1 * b1) + (a2 * b2 + a3 * b3)
        sums[at + _2] += (b0 * b0 + b1 * b1) + (b2 * b2 + b3 * b3)


@kernel
def _across(sums: Floats, a: Array, b: Array, c: Array) -> None:
    """Adds ac and bc to twice LANES partial sums."""
    for i in range(LANES):
        at = np.uint64(i)
        c0, c1, c2, c3 = np.float64(c[at]), np.float64(c[at + _1]), np.float64(c[at + _2]), np.float64(c[at + _3])
        a0, a1, a2, a3 = np.float64(a[at]), np.float64(a[at + _1]), np.float64(a[at + _2]), np.float64(a[at + _3])
        b0, b1, b2, b3 = np.float64(b[at]), np.float64(b[at + _1]), np.float64(b[at + _2]), np.float64(b[at + _3])
        sums[at] += (a0 * c0 + a1 * c1) + (a2 * c2 + a3 * c3)
        sums[at + _1] += (b0 * c0 + b1 * c1) + (b2 * c2 + b3 * c3)


@kernel
def total(lanes: Floats) -> float:
    """Their sum, which they are used up for: the upper half is added to the lower until one is left."""
    width = len(lanes) // 2
    while width:
        for i in range(width):
            lanes[i] = lanes[i] + lanes[width + i]
        width //= 2
    return float(lanes[0])


def deviation(tensor: Tensor) -> float:
    """Standard deviation of the entries (population), float64; 0 for an empty tensor."""
    count = tensor.numel()
    if count == 0:
        return 0.0
    entries = flat(tensor)
    sums = np.zeros((math.ceil(count / CHUNK), 2))
    each_chunk(count, lambda start, stop: _moments(sums[start // CHUNK], entries, start, stop))
    mean = math.fsum(sums[:, 0]) / count
    return math.sqrt(max(0.0, math.fsum(sums[:, 1]) / count - mean * mean))


@kernel
def _moments(sums: Floats, entries: Array, start: int, stop: int) -> None:
    """Σ (x − x₀) and Σ (x − x₀)², in partial sums as above. x₀, the first entry, so that a constant has none."""
    partial, end = np.zeros(2 * LANES), np.full(STEP, entries[0])
    for at in range(start, stop, STEP):
        size = min(STEP, stop - at)
        if size < STEP:
            copy(end[:size], entries[at : at + size])
        _add_powers(partial, entries[at : at + STEP] if size == STEP else end, entries[0])
    sums[0], sums[1] = total(partial[:LANES]), total(partial[LANES:])


@kernel
def _add_powers(sums: Floats, entries: Array, origin: float) -> None:
    o = np.float64(origin)
    for i in range(LANES):
        at = np.uint64(i)
        a, b = np.float64(entries[at]) - o, np.float64(entries[at + _1]) - o
        c, d = np.float64(entries[at + _2]) - o, np.float64(entries[at + _3]) - o
        sums[at] += (a + b) + (c + d)
        sums[at + _1] += (a * a + b * b) + (c * c + d * d)
