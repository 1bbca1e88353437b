from __future__ import annotations

from torch import Tensor

from .draw import Draw
from .registry import DropRate, Scale, Tensors, Weights, merge_op
from .taskvectors import rescaled


@merge_op(source="Yu et al. 2023, Language models are super Mario, arXiv:2311.03099")
def dare_linear(
    models: Tensors,
    base: Tensor,
    draw: Draw,
    *,
    weights: Weights = (),
    drop_rate: DropRate = 0.5,
    scale: Scale = 1.0,
) -> Tensor:
    """Drop and rescale: each entry of each task vector is dropped with probability p, the others divided by 1 − p;
    then θ₀ + λ Σ wᵢτᵢ.

    A sum, not a mean: n equal models give about n times their task vector. Each input has random numbers of its own, so
    their order matters.

    Edges: drop rate 1, λ 0 or weights of 0 give the base; drop rate 0 drops nothing. Entries are dropped with p rounded
    to a multiple of 2⁻¹⁶, so a rate that rounds to 1 gives the base too.

    mergekit: rescales by the ratio of each tensor's L1 norm before and after, which is 1/(1 − p) on average.
    """
    return rescaled(models, base, draw, weights, drop_rate, scale)
