from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field
from torch import Tensor

from .combination import combined, inner_products_of
from .gram import inner, length, mixed, unit
from .linear import shares
from .registry import Tensors, Weights, merge_op
from .statistics_cache import StatisticsCache


@merge_op(source="Karcher 1977, Riemannian center of mass; as in mergekit")
def karcher(
    models: Tensors,
    statistics: StatisticsCache,
    *,
    weights: Weights = (),
    iterations: Annotated[int, Field(ge=1, le=100, description="maximum number of steps")] = 10,
    tolerance: Annotated[float, Field(gt=0, le=0.1, description="step, in radians, that ends the iteration")] = 1e-5,
) -> Tensor:
    """Riemannian mean of the directions on the sphere per flattened tensor, at the weighted mean norm.

    Repeats u ← exp_u(Σ wᵢ log_u(θᵢ/|θᵢ|)) from the normalised mean.

    Edges: tensors of a norm up to `tolerance` take no part in the direction; where none does, the weighted
    mean. Directions that cancel out
    have no mean: the iteration starts from the first input's and leaves out those opposite to it. A negative weight
    moves away from its model; weights that sum to 0 are refused.

    mergekit: has no weights.
    """
    count, table, factors = len(models), inner_products_of(models, statistics), shares(weights)
    norms = [math.sqrt(table[index][index]) for index in range(count)]
    reach = math.fsum(factor * norm for factor, norm in zip(factors, norms, strict=True))
    turned = [index for index in range(count) if norms[index] > tolerance and factors[index] != 0]
    if not turned:
        return combined(models, factors)
    unit_vectors = {index: [x / norms[index] for x in unit(index, count)] for index in turned}
    plain = dict(zip(turned, shares([factors[index] for index in turned]), strict=True))
    mean = [0.0] * count
    for index in turned:
        mean = mixed(mean, unit_vectors[index], 1, plain[index])
    size = length(table, mean)
    point = [x / size for x in mean] if size >= tolerance else unit_vectors[turned[0]]
    for _ in range(iterations):
        step = [0.0] * count
        for index in turned:
            cosine = min(1.0, max(-1.0, inner(table, point, unit_vectors[index])))
            angle = math.acos(cosine)
            if tolerance <= angle < math.pi - tolerance:
                away = mixed(unit_vectors[index], point, 1, -cosine)
                step = mixed(step, away, 1, plain[index] * angle / math.sin(angle))
        moved = length(table, step)
        if moved < tolerance:
            break
        point = mixed(point, step, math.cos(moved), math.sin(moved) / moved)
        size = length(table, point)
        point = [x / size for x in point]
    return combined(models, [x * reach for x in point])
