from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor

from .chunks import by_numbered_chunks, deviation
from .draw import Draw
from .registry import Inputs, Tensors, merge_op


@merge_op(source="gaussian mutation of evolution strategies, Rechenberg 1973")
def mutate(
    models: Annotated[Tensors, Inputs(1, 1)],
    draw: Draw,
    *,
    rate: Annotated[float, Field(ge=0, le=1, description="share of the entries that change")] = 0.01,
    sigma: Annotated[
        float, Field(ge=0, le=1, description="σ of the change, relative to the tensor's standard deviation")
    ] = 0.01,
) -> Tensor:
    """Add gaussian noise to a random share of the entries, σ relative to each tensor's standard deviation.

    Edges: rate 0, σ 0 and a constant tensor leave all as it is.
    """
    (tensor,) = models
    spread = sigma * deviation(tensor) if rate > 0 else 0.0
    if spread == 0:
        return tensor
    which, noise = draw.stream("which"), draw.stream("noise")

    def merge(parts: list[Tensor], chunk: int) -> Tensor:
        values = parts[0].numpy()
        (chosen,) = np.nonzero(which.chosen(chunk, len(values), rate))
        values[chosen] += noise.normals(chunk, len(chosen)) * spread
        return parts[0]

    return by_numbered_chunks(merge, [tensor])
