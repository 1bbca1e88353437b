from __future__ import annotations

from typing import Annotated

from torch import Tensor

from .combination import combined, inner_products_of
from .gram import unit
from .linear import shares
from .registry import Inputs, Tensors, Weights, merge_op
from .slerp import between
from .statistics_cache import StatisticsCache

COLLINEAR = 1 - 1e-15


@merge_op(source="mergekit, github.com/arcee-ai/mergekit/blob/main/docs/merge_methods.md#nuslerp")
def nuslerp(models: Annotated[Tensors, Inputs(2, 2)], statistics: StatisticsCache, *, weights: Weights = ()) -> Tensor:
    """Great-circle interpolation of two models with normalised weights; linear only where they are collinear.

    Per flattened tensor, t = w₂/(w₁+w₂).

    Edges: linear too where a norm is below 1e-8. A negative weight continues along the circle beyond the other model;
    weights that sum to 0 are refused.

    mergekit: takes weights that sum to 0 as equal ones; takes the sines where a norm is 0; can work row by row
    and about a base.
    """
    t = shares(weights)[1]
    merged = between(inner_products_of(models, statistics), unit(0, 2), unit(1, 2), t, COLLINEAR)
    return combined(models, merged)
