from __future__ import annotations

from torch import Tensor

from .band import Gamma, bands
from .registry import Density, Normalize, Scale, Tensors, Weights, each, merge_op
from .statistics_cache import StatisticsCache
from .taskvectors import Outcome, banded


@merge_op(source="Davari & Belilovsky 2023, arXiv:2312.06795, with the sign election of Yadav et al. 2023")
def breadcrumbs_ties(
    models: Tensors,
    base: Tensor,
    statistics: StatisticsCache,
    *,
    weights: Weights = (),
    density: Density = 0.9,
    gamma: Gamma = 0.01,
    scale: Scale = 1.0,
    normalize: Normalize = True,
) -> Tensor:
    """Remove the γ largest and then the smallest entries of each task vector until `density` remains,
    then elect signs and take the mean as ties does.

    Per tensor, as breadcrumbs does.

    Edges: density 0, λ 0 or weights of 0 give the base. At density 1 nothing is removed: γ gives way where the two
    conflict. An entry without an elected sign stays the base's.

    mergekit: takes the sum unless told to `normalize`; otherwise differs as breadcrumbs and ties do.
    """
    if not any(each(density, len(models))):
        return base
    limits = bands(models, base, density, gamma, statistics)
    return banded(models, base, limits, Outcome(weights, scale, elected=True, normalize=normalize))
