"""Weighted sums of models, and the sums over entries that their weights are made from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from .chunks import CHUNK, each_chunk, made
from .compiled import BLOCK, Array, Floats, clear, copy, flat, kernel, many

LANES = 512
"""Partial sums that a sum is made of: so many independent ones fill vectors, and a few rows the first-level cache."""


def combined(models: Sequence[Tensor], factors: Sequence[float]) -> Tensor:
    """Σ factorᵢ · modelᵢ, in float64, from left to right."""
    arrays, weights = many(models), np.array(factors, dtype=np.float64)
    return made(models[0], lambda out, start, stop: _combine(out, arrays, weights, start, stop))


@kernel
def _combine(out: Array, models: tuple[Array, ...], factors: Floats, start: int, stop: int) -> None:
    row = np.empty(BLOCK)
    for at in range(start, stop, BLOCK):
        count = min(BLOCK, stop - at)
        _first(row[:count], models[0][at : at + count], factors[0])
        for index in range(1, len(factors)):
            _further(row[:count], models[index][at : at + count], factors[index])
        copy(out[at : at + count], row[:count])


@kernel
def _first(row: Floats, model: Array, factor: float) -> None:
    for i in range(len(row)):
        row[i] = np.float64(model[i]) * factor


@kernel
def _further(row: Floats, model: Array, factor: float) -> None:
    for i in range(len(row)):
        row[i] += np.float64(model[i]) * factor


def inner_products(tensors: Sequence[Tensor]) -> list[list[float]]:
    """Σ aᵢbᵢ of every two flattened tensors, float64; each tensor is read once."""
    count, size = len(tensors), tensors[0].numel()
    arrays = many(tensors)
    sums = np.zeros((math.ceil(size / CHUNK), count, count))
    each_chunk(size, lambda start, stop: _products(sums[start // CHUNK], arrays, start, stop))
    return [[math.fsum(sums[:, min(i, j), max(i, j)]) for j in range(count)] for i in range(count)]


@kernel
def _products(sums: Floats, arrays: tuple[Array, ...], start: int, stop: int) -> None:
    """Fills the upper triangle of sums. Entry i of a chunk goes to the partial sum numbered i mod LANES."""
    count = len(sums)
    rows, lanes = np.zeros((count, LANES)), np.zeros((count, count, LANES))
    for at in range(start, stop, LANES):
        size = min(LANES, stop - at)
        for i in range(count):
            clear(rows[i, size:])
            copy(rows[i, :size], arrays[i][at : at + size])
        for i in range(count):
            for j in range(i, count):
                _multiply_add(lanes[i, j], rows[i], rows[j])
    for i in range(count):
        for j in range(i, count):
            sums[i, j] = _total(lanes[i, j])


@kernel
def _multiply_add(sums: Floats, a: Floats, b: Floats) -> None:
    for i in range(len(sums)):
        sums[i] += a[i] * b[i]


@kernel
def _total(entries: Floats) -> float:
    total = 0.0
    for i in range(len(entries)):
        total += entries[i]
    return total


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
    first, second = np.zeros(LANES), np.zeros(LANES)
    for at in range(start, stop, LANES):
        size = min(LANES, stop - at)
        _add_powers(first[:size], second[:size], entries[at : at + size], entries[0])
    sums[0], sums[1] = _total(first), _total(second)


@kernel
def _add_powers(first: Floats, second: Floats, entries: Array, origin: float) -> None:
    for i in range(len(entries)):
        away = np.float64(entries[i]) - np.float64(origin)
        first[i] += away
        second[i] += away * away
