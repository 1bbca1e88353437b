from __future__ import annotations

import math

from torch import Tensor

from .registry import Density, Normalize, Scale, Tensors, Weights, each, merge_op
from .statistics_cache import StatisticsCache
from .taskvectors import Outcome, banded
from .trim import floors, kept_count


@merge_op(source="Yadav et al. 2023, TIES-Merging, arXiv:2306.01708, algorithm 1")
def ties(
    models: Tensors,
    base: Tensor,
    statistics: StatisticsCache,
    *,
    weights: Weights = (),
    density: Density = 0.2,
    scale: Scale = 1.0,
    normalize: Normalize = True,
) -> Tensor:
    """Trim, elect sign and merge: keep the top `density` of each task vector by magnitude, elect the sign of their
    weighted sum, take the weighted mean of those that agree, and add it λ times to the base.

    Trimmed per tensor, to ⌊density·entries⌋ but at least one.

    Edges: density 0, λ 0 or weights of 0 give the base. Entries that tie with the smallest one kept are kept too. An
    entry whose weighted sum is 0 elects no sign and stays the base's. A model of negative weight votes against its own
    task vector; the mean divides by Σ|wᵢ|.

    mergekit: keeps some of the entries that tie, by the order of its sort; elects + where the sum is 0, which has no
    basis in the paper; divides by Σwᵢ, which negative weights may bring to 0.
    """
    kept = [kept_count(share, base.numel()) for share in each(density, len(models))]
    if not any(kept):
        return base
    bands = [(floor, math.inf) for floor in floors(models, base, kept, statistics)]
    return banded(models, base, bands, Outcome(weights, scale, elected=True, normalize=normalize))
