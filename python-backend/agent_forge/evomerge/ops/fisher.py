from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from ..refusal import BadParameter
from .chunks import by_chunks, lincomb
from .linear import shares
from .registry import Tensors, Weights, merge_op

Calibration = Annotated[dict[str, Any], Field(description="names the batch that the Fisher is measured on")]


@merge_op(source="Matena & Raffel 2022, Merging models with Fisher-weighted averaging, arXiv:2111.09832")
def fisher(
    models: Tensors,
    fisher: Tensors,
    *,
    weights: Weights = (),
    calibration: Calibration = {},  # noqa: B006 - a default of the schema, never changed
) -> Tensor:
    """Mean weighted per entry by the diagonal Fisher information: Σ wᵢFᵢθᵢ / Σ wᵢFᵢ.

    Measures the inputs, so its bytes are those of the machine type and torch version that measured.

    Edges: where every wᵢFᵢ is 0: Σ wᵢθᵢ / Σ wᵢ. Weights that sum to 0 and negative ones are refused.
    """
    if min(weights) < 0:
        raise BadParameter("weights: fisher takes none below 0")
    plain = shares(weights)
    count = len(models)

    def merge(parts: list[Tensor]) -> Tensor:
        models, importances = parts[:count], parts[count:]
        total = importances[0].mul_(plain[0]).clone()
        for importance, share in zip(importances[1:], plain[1:], strict=True):
            total.add_(importance.mul_(share))
        unknown = total == 0
        mean = torch.zeros_like(total)
        if unknown.any():
            mean = lincomb([model * unknown for model in models], plain)
            total.add_(unknown)
        for model, importance in zip(models, importances, strict=True):
            mean.add_(importance.div_(total).mul_(model))
        return mean

    return by_chunks(merge, [*models, *fisher])
