from __future__ import annotations

from torch import Tensor

from .draw import Draw
from .prune import Epsilon, by_magnitude
from .registry import DropRate, Normalize, Scale, Tensors, Weights, merge_op
from .statistics_cache import StatisticsCache
from .taskvectors import Outcome


@merge_op(source="Deep et al. 2024, arXiv:2406.11617, with the sign election of Yadav et al. 2023")
def della(
    models: Tensors,
    base: Tensor,
    draw: Draw,
    statistics: StatisticsCache,
    *,
    weights: Weights = (),
    drop_rate: DropRate = 0.5,
    epsilon: Epsilon = 0.15,
    scale: Scale = 1.0,
    normalize: Normalize = True,
) -> Tensor:
    """Drop by magnitude and rescale as della_linear does, then elect signs and take the mean as ties does.

    Each input has random numbers of its own, so their order matters.

    Edges: drop rate 1, λ 0 or weights of 0 give the base; drop rate 0 drops nothing. An entry without an elected sign
    stays the base's.

    mergekit: takes the sum unless told to `normalize`; otherwise differs as della_linear and ties do.
    """
    outcome = Outcome(weights, scale, elected=True, normalize=normalize)
    return by_magnitude(models, base, draw, statistics, drop_rate, epsilon, outcome)
