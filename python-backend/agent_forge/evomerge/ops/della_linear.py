from __future__ import annotations

from torch import Tensor

from .chunks import by_rows, lincomb, row_shape
from .draw import Draw
from .prune import Epsilon, MagPrune
from .registry import DropRate, Scale, Tensors, Weights, merge_op


@merge_op(source="Deep et al. 2024, DELLA-Merging, arXiv:2406.11617")
def della_linear(
    models: Tensors,
    base: Tensor,
    draw: Draw,
    *,
    weights: Weights = (),
    drop_rate: DropRate = 0.5,
    epsilon: Epsilon = 0.15,
    scale: Scale = 1.0,
) -> Tensor:
    """Drop by magnitude and rescale: the drop probability falls from p + ε for a row's smallest entry to p − ε for
    its largest, entries that stay are divided by their keep probability; then θ₀ + λ Σ wᵢτᵢ.

    Drop rate 1 gives the base. ε gives way where the range would leave [0, 1], which mergekit refuses; it rescales
    by the tensor's L1 norm instead of each entry's probability, the paper's way.
    """
    if drop_rate == 1:
        return base
    prune = MagPrune.of_rows(row_shape(base)[1], drop_rate, epsilon)

    def merge(parts: list[Tensor], row: int) -> Tensor:
        origin, *models = parts
        deltas = [part.sub_(origin) for part in models]
        prune.apply(deltas, draw, row)
        return origin.add_(lincomb(deltas, weights).mul_(scale))

    return by_rows(merge, [base, *models])
