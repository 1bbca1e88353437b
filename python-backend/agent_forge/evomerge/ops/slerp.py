from __future__ import annotations

import math

from torch import Tensor

from .chunks import by_chunks, dot, lincomb, norm
from .linear import shares
from .registry import Tensors, Weights, merge_op

PARALLEL = 0.9995
SMALL = 1e-8


def between(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The point at t on the great circle from a to b, magnitudes interpolated along."""
    factors = [1 - t, t]
    length = norm(a) * norm(b)
    if min(norm(a), norm(b)) >= SMALL:
        cosine = dot(a, b) / length
        if abs(cosine) <= PARALLEL:
            angle = math.acos(cosine)
            factors = [math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)]
    return by_chunks(lambda parts: lincomb(parts, factors), [a, b])


@merge_op(source="Shoemake 1985, Animating rotation with quaternion curves")
def slerp(models: Tensors, *, weights: Weights = ()) -> Tensor:
    """Great-circle interpolation per flattened tensor: sin((1−t)Ω)/sinΩ·a + sin(tΩ)/sinΩ·b, t = w₂/(w₁+w₂).

    Linear where |cosΩ| > 0.9995 or a norm is below 1e-8. More than two models are taken in one by one,
    each at its share of the weights so far; the result then depends on their order. One model: itself.
    """
    merged, total = models[0], weights[0]
    for tensor, weight in zip(models[1:], weights[1:], strict=True):
        merged = between(merged, tensor, shares([total, weight])[1])
        total += weight
    return merged
