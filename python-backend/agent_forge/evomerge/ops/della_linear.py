from __future__ import annotations

from torch import Tensor

from .draw import Draw
from .prune import Epsilon, by_magnitude
from .registry import DropRate, Scale, Tensors, Weights, merge_op
from .statistics_cache import StatisticsCache
from .taskvectors import Outcome


@merge_op(source="Deep et al. 2024, DELLA-Merging, arXiv:2406.11617")
def della_linear(
    models: Tensors,
    base: Tensor,
    draw: Draw,
    statistics: StatisticsCache,
    *,
    weights: Weights = (),
    drop_rate: DropRate = 0.5,
    epsilon: Epsilon = 0.15,
    scale: Scale = 1.0,
) -> Tensor:
    """Drop by magnitude and rescale: the drop probability falls from p + ε for a row's smallest entry to p − ε for
    its largest, entries that stay are divided by their keep probability; then θ₀ + λ Σ wᵢτᵢ.

    A sum, not a mean. A vector is one row. Of equal magnitudes the earlier column counts as smaller. Each input has
    random numbers of its own, so their order matters.

    Edges: drop rate 1, λ 0 or weights of 0 give the base; drop rate 0 drops nothing. ε gives way where p ± ε would
    leave [0, 1]; a row of one entry has p.

    mergekit: rescales by the ratio of each tensor's L1 norm before and after, here each entry is divided by its own
    probability, the paper's way, which keeps the expectation of large and small entries alike; refuses an ε that leaves
    [0, 1]; gives NaN for rows of one entry.
    """
    outcome = Outcome(weights, scale)
    return by_magnitude(models, base, draw, statistics, drop_rate, epsilon, outcome)
