from __future__ import annotations

from torch import Tensor

from .draw import Draw
from .registry import DropRate, Normalize, Scale, Tensors, Weights, merge_op
from .taskvectors import rescaled


@merge_op(source="Yu et al. 2023, arXiv:2311.03099, with the sign election of Yadav et al. 2023")
def dare_ties(
    models: Tensors,
    base: Tensor,
    draw: Draw,
    *,
    weights: Weights = (),
    drop_rate: DropRate = 0.5,
    scale: Scale = 1.0,
    normalize: Normalize = True,
) -> Tensor:
    """Drop and rescale each task vector as dare_linear does, then elect signs and take the mean as ties does.

    Each input has random numbers of its own, so their order matters.

    Edges: drop rate 1, λ 0 or weights of 0 give the base; drop rate 0 drops nothing. An entry without an elected sign
    stays the base's.

    mergekit: takes the sum unless told to `normalize`; otherwise differs as dare_linear and ties do.
    """
    return rescaled(models, base, draw, weights, drop_rate, scale, elected=True, normalize=normalize)
