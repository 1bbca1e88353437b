from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from .combination import combined
from .registry import Inputs, Tensors, merge_op


@merge_op(source="passthrough of mergekit, github.com/arcee-ai/mergekit/blob/main/docs/merge_methods.md")
def scale(
    models: Annotated[Tensors, Inputs(1, 1)],
    *,
    factor: Annotated[float, Field(ge=-1000, le=1000, description="what every entry is multiplied by")] = 1.0,
) -> Tensor:
    """The model times a factor, which may differ by tensor: what is rounded is rounded once.

    Edges: factor 1 leaves everything as it is, factor 0 gives zeros of the entries' signs.

    mergekit: `scale` of `passthrough`, which multiplies in the tensors' own type.
    """
    return combined(models, [factor])
