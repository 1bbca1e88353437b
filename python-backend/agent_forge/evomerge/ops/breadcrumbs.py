from __future__ import annotations

from torch import Tensor

from .band import Gamma, bands
from .registry import Density, Scale, Tensors, Weights, each, merge_op
from .statistics_cache import StatisticsCache
from .taskvectors import Outcome, banded


@merge_op(source="Davari & Belilovsky 2023, Model Breadcrumbs, arXiv:2312.06795")
def breadcrumbs(
    models: Tensors,
    base: Tensor,
    statistics: StatisticsCache,
    *,
    weights: Weights = (),
    density: Density = 0.9,
    gamma: Gamma = 0.01,
    scale: Scale = 1.0,
) -> Tensor:
    """Remove the γ largest and then the smallest entries of each task vector until `density` remains,
    then θ₀ + λ Σ wᵢτᵢ.

    Per tensor: ⌊density·entries⌋ remain, but at least one. A sum, not a mean: n equal models give n times their task
    vector.

    Edges: density 0, λ 0 or weights of 0 give the base. At density 1 nothing is removed: γ gives way where the two
    conflict. Entries that tie with the smallest one kept are kept, those that tie with the smallest large one go with
    it.

    mergekit: keeps some of the entries that tie at an edge, by the order of its sort, and may keep none.
    """
    if not any(each(density, len(models))):
        return base
    limits = bands(models, base, density, gamma, statistics)
    return banded(models, base, limits, Outcome(weights, scale))
