from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from .chunks import by_chunks
from .registry import Scale, Tensors, merge_op


@merge_op(source="Reinforced Agent Merging, 2026, arXiv:2601.13572; as in mergekit")
def ram(
    models: Tensors,
    base: Tensor,
    *,
    epsilon: Annotated[float, Field(ge=0, le=1, description="largest difference that counts as unchanged")] = 1e-5,
    scale: Scale = 1.0,
) -> Tensor:
    """Keep what one model alone has changed as it is, take the mean of what several have: θ₀ + λ Σ τᵢ / n over the
    n models with |τᵢ| > ε, per entry.

    Edges: where no model has changed an entry it stays the base's; λ 0 gives the base. With ε 0 every difference
    counts.

    mergekit: has no λ: its is 1.
    """

    def merge(parts: list[Tensor]) -> Tensor:
        origin, *models = parts
        total, changed = torch.zeros_like(origin), torch.zeros_like(origin)
        for part in models:
            delta = torch.hardshrink(part.sub_(origin), epsilon, out=part)
            total.add_(delta)
            changed.add_(delta.sign_().abs_())
        return origin.add_(total.div_(changed.clamp_(min=1)).mul_(scale))

    return by_chunks(merge, [base, *models])
