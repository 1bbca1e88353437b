from __future__ import annotations

from torch import Tensor

from .chunks import by_rows, row_shape
from .consensus import elected_mean
from .draw import Draw
from .prune import Epsilon, MagPrune
from .registry import DropRate, Scale, Tensors, Weights, merge_op


@merge_op(source="Deep et al. 2024, arXiv:2406.11617, with the sign election of Yadav et al. 2023")
def della(
    models: Tensors,
    base: Tensor,
    draw: Draw,
    *,
    weights: Weights = (),
    drop_rate: DropRate = 0.5,
    epsilon: Epsilon = 0.15,
    scale: Scale = 1.0,
) -> Tensor:
    """Drop by magnitude and rescale as della_linear does, then elect signs and take the mean as ties does.

    Each input has random numbers of its own, so their order matters.

    Edges: drop rate 1, λ 0 or weights of 0 give the base; drop rate 0 drops nothing. An entry without an elected sign
    stays the base's.

    mergekit: takes the sum unless told to `normalize`; otherwise differs as della_linear and ties do.
    """
    if drop_rate == 1:
        return base
    prune = MagPrune.of_rows(row_shape(base)[1], drop_rate, epsilon)

    def merge(parts: list[Tensor], row: int) -> Tensor:
        origin, *models = parts
        deltas = [part.sub_(origin) for part in models]
        prune.apply(deltas, draw, row)
        return origin.add_(elected_mean(deltas, weights).mul_(scale))

    return by_rows(merge, [base, *models])
