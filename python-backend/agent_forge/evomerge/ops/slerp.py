from __future__ import annotations

import math

from torch import Tensor

from .combination import combined, inner_products_of
from .gram import Coefficients, Gram, inner, length, mixed, unit
from .linear import shares
from .registry import Tensors, Weights, merge_op
from .statistics_cache import StatisticsCache

PARALLEL = 0.9995
SMALL = 1e-8


def between(table: Gram, a: Coefficients, b: Coefficients, t: float, parallel: float = PARALLEL) -> Coefficients:
    """The point at t on the great circle from a to b, magnitudes interpolated along."""
    size = length(table, a), length(table, b)
    if min(size) >= SMALL:
        cosine = inner(table, a, b) / (size[0] * size[1])
        if abs(cosine) <= parallel:
            angle = math.acos(cosine)
            sine = math.sin(angle)
            return mixed(a, b, math.sin((1 - t) * angle) / sine, math.sin(t * angle) / sine)
    return mixed(a, b, 1 - t, t)


@merge_op(source="Shoemake 1985, Animating rotation with quaternion curves")
def slerp(models: Tensors, statistics: StatisticsCache, *, weights: Weights = ()) -> Tensor:
    """Great-circle interpolation per flattened tensor: sin((1−t)Ω)/sinΩ·a + sin(tΩ)/sinΩ·b, t = w₂/(w₁+w₂).

    More than two models are taken in one by one, each at its share of the weights so far; the result then depends on
    their order.

    Edges: linear where |cosΩ| > 0.9995 or a norm is below 1e-8. A weight of 0 leaves its model out; a negative one
    continues along the circle beyond the others; weights that sum to 0, at any step, are refused. One model: itself.

    mergekit: takes two models; takes the sines where a norm is 0.
    """
    shares(weights)
    if len(models) == 1:
        return models[0]
    table, count = inner_products_of(models, statistics), len(models)
    merged, total = unit(0, count), weights[0]
    for index in range(1, count):
        if weights[index] != 0:
            merged = between(table, merged, unit(index, count), shares([total, weights[index]])[1])
            total += weights[index]
    return combined(models, merged)
