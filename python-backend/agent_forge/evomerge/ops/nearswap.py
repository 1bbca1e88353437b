from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from .chunks import by_chunks
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

    def merge(parts: list[Tensor]) -> Tensor:
        origin, model = parts
        return origin.add_(model.sub_(origin).clamp_(-t, t))

    return by_chunks(merge, [base, *models])
