from __future__ import annotations

from torch import Tensor

from ..errors import BadParameter
from .combination import combined, inner_products_of
from .gram import length
from .linear import shares
from .registry import Tensors, Weights, merge_op
from .statistics_cache import StatisticsCache

SMALL = 1e-8


@merge_op(source="mergekit, goddard.blog/posts/multislerp-wow-what-a-cool-idea")
def multislerp(models: Tensors, statistics: StatisticsCache, *, weights: Weights = ()) -> Tensor:
    """Barycentre on the sphere per flattened tensor: the weighted mean direction, at the weighted mean norm.

    The tangent-space step about the mean of the unit vectors is zero by construction, so it isn't computed.

    Edges: tensors of a norm below 1e-8 take no part in the direction. Two directions that cancel out give the weighted
    mean, more are refused. A negative weight moves away from its model; weights that sum to 0 are refused.

    mergekit: takes the tangent-space step; can put the sphere's centre at a base.
    """
    factors, table = shares(weights), inner_products_of(models, statistics)
    norms = [table[index][index] ** 0.5 for index in range(len(models))]
    mean = [factor / norm if norm >= SMALL else 0.0 for factor, norm in zip(factors, norms, strict=True)]
    size = length(table, mean)
    if size < SMALL:
        if len(models) > 2 and any(mean):
            raise BadParameter("multislerp: the weighted directions cancel out")
        merged = factors
    else:
        reach = sum(factor * norm for factor, norm in zip(factors, norms, strict=True))
        merged = [part * reach / size for part in mean]
    return combined(models, merged)
