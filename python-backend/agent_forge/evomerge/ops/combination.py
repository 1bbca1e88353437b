"""Weighted sums of models, and the sums over entries that their weights are made from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from .chunks import CHUNK, each_read, made
from .compiled import Array, Floats, copy, filled, kernel
from .statistics_cache import StatisticsCache

LANES = 256
"""Partial sums that a sum is made of: so many independent ones fill vectors, and those of four tensors the cache."""
STEP = 4 * LANES
_1, _2, _3 = np.uint64(LANES), np.uint64(2 * LANES), np.uint64(3 * LANES)


def combined(models: Sequence[Tensor], factors: Sequence[float], dtype: torch.dtype | None = None) -> Tensor:
    """Σ factorᵢ · modelᵢ, in float64, from left to right."""
    # as many as there are: a filler would turn a sum of -0 into 0
    weights = tuple(map(float, factors))
    return made(models, lambda out, arrays, first: _combine(out, arrays, weights), dtype=dtype)


@kernel
def _combine(out: Array, models: tuple[Array, ...], factors: tuple[float, ...]) -> None:
    for i in range(len(out)):
        at = np.uint64(i)
        total = np.float64(models[0][at]) * factors[0]
        for j in range(1, len(models)):
            total += np.float64(models[j][at]) * factors[j]
        out[at] = total


def inner_products_of(inputs: Sequence[Tensor], statistics: StatisticsCache, *others: Tensor) -> list[list[float]]:
    """As `inner_products`, of all inputs and of others that follow from them and the base."""
    what = "inner products", len(others)
    return statistics(range(len(inputs)), what, partial(inner_products, [*inputs, *others]))


def inner_products(tensors: Sequence[Tensor]) -> list[list[float]]:
    """Σ aᵢbᵢ of every pair of flattened tensors, float64; each tensor is read once."""
    count, size = len(tensors), tensors[0].numel()
    sums = np.zeros((math.ceil(size / CHUNK), count, count))
    each_read(tensors, lambda arrays, start, stop: _products(sums[start // CHUNK], filled(arrays, arrays[0])))
    return [[math.fsum(sums[:, min(i, j), max(i, j)]) for j in range(count)] for i in range(count)]


@kernel
def _products(sums: Floats, arrays: tuple[Array, ...]) -> None:
    """Fills the upper triangle of sums. Entry i of a chunk goes to the partial sum numbered i mod LANES.

    Tensors are taken in twos, and entries of a lane in fours, so that few widenings and stores go with many products.
    """
    count, stop = len(sums), len(arrays[0])
    pairs = (count + 1) // 2
    squares, others = np.zeros((pairs, 3 * LANES)), np.zeros((pairs, count, 2 * LANES))
    ends = np.zeros((count, STEP), dtype=arrays[0].dtype)
    for at in range(0, stop, STEP):
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


# unsigned places and one array of sums below: otherwise the compiler would have too much to prove


@kernel
def _square(sums: Floats, a: Array) -> None:
    """Adds aa to LANES partial sums."""
    for i in range(LANES):
        at = np.uint64(i)
        sums[at] += _product(a, a, at)


@kernel
def _within(sums: Floats, a: Array, b: Array) -> None:
    """Adds aa, ab and bb to three times LANES partial sums."""
    for i in range(LANES):
        at = np.uint64(i)
        aa, ab, bb = _product(a, a, at), _product(a, b, at), _product(b, b, at)
        sums[at], sums[at + _1], sums[at + _2] = sums[at] + aa, sums[at + _1] + ab, sums[at + _2] + bb


@kernel
def _across(sums: Floats, a: Array, b: Array, c: Array) -> None:
    """Adds ac and bc to twice LANES partial sums."""
    for i in range(LANES):
        at = np.uint64(i)
        ac, bc = _product(a, c, at), _product(b, c, at)
        sums[at], sums[at + _1] = sums[at] + ac, sums[at + _1] + bc


@kernel
def _product(a: Array, b: Array, at: np.uint64) -> float:
    """Σ ab over the four entries of a lane, two by two."""
    first = np.float64(a[at]) * np.float64(b[at]) + np.float64(a[at + _1]) * np.float64(b[at + _1])
    return first + (np.float64(a[at + _2]) * np.float64(b[at + _2]) + np.float64(a[at + _3]) * np.float64(b[at + _3]))


@kernel
def total(lanes: Floats) -> float:
    """Their sum, which overwrites them: the upper half is added to the lower until one is left."""
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
    origin = float(tensor.reshape(-1)[0])
    sums = np.zeros((math.ceil(count / CHUNK), 2))
    each_read([tensor], lambda arrays, start, stop: _moments(sums[start // CHUNK], arrays[0], origin))
    mean = math.fsum(sums[:, 0]) / count
    return math.sqrt(max(0.0, math.fsum(sums[:, 1]) / count - mean * mean))


@kernel
def _moments(sums: Floats, entries: Array, origin: float) -> None:
    """Σ (x − x₀) and Σ (x − x₀)², in partial sums as above.

    x₀ is the tensor's first entry, so that a constant has none."""
    partial, end, stop = np.zeros(2 * LANES), np.full(STEP, origin), len(entries)
    for at in range(0, stop, STEP):
        size = min(STEP, stop - at)
        if size < STEP:
            copy(end[:size], entries[at : at + size])
            _add_powers(partial, end, origin)
        else:
            _add_powers(partial, entries[at : at + STEP], origin)
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
