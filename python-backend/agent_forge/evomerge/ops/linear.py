from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from ..errors import BadParameter
from .combination import combined
from .registry import Tensors, Weights, merge_op


def shares(weights: Sequence[float]) -> list[float]:
    """Weights that sum to 1. Raises `BadParameter` where they sum to 0."""
    total = math.fsum(weights)
    if abs(total) < 1e-8:
        raise BadParameter("weights: they sum to 0")
    return [weight / total for weight in weights]


@merge_op(source="Wortsman et al. 2022, Model soups, arXiv:2203.05482")
def linear(models: Tensors, *, weights: Weights = ()) -> Tensor:
    """Weighted mean: Σ wᵢθᵢ / Σ wᵢ.

    Edges: a negative weight moves away from its model; weights that sum to 0 are refused.

    mergekit: divides by a sum of 0; can leave the division out.
    """
    return combined(models, shares(weights))
