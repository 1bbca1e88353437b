from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor

from .chunks import made
from .compiled import Array, kernel
from .registry import Inputs, Tensors, merge_op


@merge_op(source="mergekit, huggingface.co/alchemonaut/QuartetAnemoi-70B-t0.0001")
def nearswap(
    models: Annotated[Tensors, Inputs(1, 1)],
    base: Tensor,
    *,
    t: Annotated[float, Field(ge=0, le=1, description="difference up to which an entry is taken whole")] = 0.001,
) -> Tensor:
    """Take the model's entries where they lie near the base: θ₀ + min(1, t/|τ|)·τ, so none moves further than t.

    Edges: t 0 gives the base; t above every |τ| gives the model.

    mergekit: does the same.
    """
    return made([models[0], base], lambda out, arrays, first: _near(out, arrays[0], arrays[1], t))


@kernel
def _near(out: Array, model: Array, base: Array, t: float) -> None:
    for i in range(len(out)):
        origin = np.float64(base[i])
        delta = np.float64(model[i]) - origin
        out[i] = origin + min(max(delta, -t), t)
