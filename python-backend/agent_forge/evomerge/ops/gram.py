"""Spherical merges as coefficients: every point they visit is a combination of the inputs, so the inputs' inner
products say all that is needed, and each tensor is read twice whatever the number of steps."""

from __future__ import annotations

import math

Gram = list[list[float]]
"""Inner products of the flattened inputs, see `combination.inner_products`."""
Coefficients = list[float]


def inner(table: Gram, a: Coefficients, b: Coefficients) -> float:
    """Inner product of two combinations."""
    return math.fsum(x * y * table[i][j] for i, x in enumerate(a) for j, y in enumerate(b))


def length(table: Gram, a: Coefficients) -> float:
    return math.sqrt(max(0.0, inner(table, a, a)))


def mixed(a: Coefficients, b: Coefficients, x: float, y: float) -> Coefficients:
    return [x * left + y * right for left, right in zip(a, b, strict=True)]


def unit(index: int, count: int) -> Coefficients:
    """The input itself."""
    return [1.0 if position == index else 0.0 for position in range(count)]
