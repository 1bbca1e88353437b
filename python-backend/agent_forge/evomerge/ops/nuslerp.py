from __future__ import annotations

from typing import Annotated

from torch import Tensor

from .chunks import by_chunks, inner_products, lincomb
from .gram import unit
from .linear import shares
from .registry import Inputs, Tensors, Weights, merge_op
from .slerp import between

COLLINEAR = 1 - 1e-15


@merge_op(source="mergekit, github.com/arcee-ai/mergekit/blob/main/docs/merge_methods.md#nuslerp")
def nuslerp(models: Annotated[Tensors, Inputs(2, 2)], *, weights: Weights = ()) -> Tensor:
    """Great-circle interpolation of two models with normalised weights; linear only where they are collinear.

    Per flattened tensor, t = w₂/(w₁+w₂).
    """
    t = shares(weights)[1]
    merged = between(inner_products(models), unit(0, 2), unit(1, 2), t, COLLINEAR)
    return by_chunks(lambda parts: lincomb(parts, merged), models)
