from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from .chunks import converted
from .registry import Inputs, Tensors, merge_op

Dtype = Literal["float16", "bfloat16", "float32", "float64"]


@merge_op(source="IEEE 754, section 5.4.2, formatOf convertFormat; rounding to nearest, ties to even")
def cast(
    models: Annotated[Tensors, Inputs(1, 1)],
    *,
    dtype: Annotated[Dtype, Field(description="type of the result")] = "float32",
) -> Tensor:
    """The model in another type: what does not fit is rounded once, to the nearest.

    Edges: a model of that type already stays as it is, a wider type changes no number. What is beyond the largest
    number of the type is refused.

    mergekit: does the same by `dtype` and `out_dtype`, and lets infinities arise.
    """
    return converted(models[0], getattr(torch, dtype))
