from __future__ import annotations

from torch import Tensor

from .chunks import by_chunks
from .consensus import elected_mean
from .registry import Density, Scale, Tensors, Weights, merge_op
from .trim import Floor, kept_count, trim


@merge_op(source="Yadav et al. 2023, TIES-Merging, arXiv:2306.01708, algorithm 1")
def ties(
    models: Tensors,
    base: Tensor,
    floor: Floor,
    *,
    weights: Weights = (),
    density: Density = 0.2,
    scale: Scale = 1.0,
) -> Tensor:
    """Trim, elect sign and merge: keep the top `density` of each task vector by magnitude, elect the sign of their
    weighted sum, take the weighted mean of those that agree, and add it λ times to the base.

    Trimmed per tensor, to ⌊density·entries⌋ but one at least. Entries that tie with the smallest one kept are kept
    too, where mergekit keeps some of them by the order of its sort. Density 0 gives the base.
    """
    kept = kept_count(density, base.numel())
    if kept == 0:
        return base
    floors = [floor(index, kept) for index in range(len(models))] if kept < base.numel() else []

    def merge(parts: list[Tensor]) -> Tensor:
        origin, *models = parts
        deltas = [part.sub_(origin) for part in models]
        if floors:
            trim(deltas, floors)
        return origin.add_(elected_mean(deltas, weights).mul_(scale))

    return by_chunks(merge, [base, *models])
