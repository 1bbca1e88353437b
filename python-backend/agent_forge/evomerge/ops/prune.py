"""Random dropping by magnitude, the step that DELLA adds to DARE (MagPrune, Deep et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from .draw import LEVELS, Draw
from .trim import magnitude

Epsilon = Annotated[
    float, Field(ge=0, le=0.5, description="half-width of the range of drop probabilities; gives way at 0 and 1")
]


@dataclass(frozen=True)
class MagPrune:
    """Drop probabilities of a row's entries, by rank of magnitude."""

    thresholds: npt.NDArray[np.uint32]
    """Rank (smallest magnitude first) → 16-bit integers below this keep the entry."""
    factors: npt.NDArray[np.float64]
    """Rank → 1/(1 − drop probability)."""

    @staticmethod
    def of_rows(columns: int, drop_rate: float, epsilon: float) -> MagPrune:
        """From p + ε for the smallest entry of a row down to p − ε for the largest, evenly; a lone entry has p."""
        reach = min(epsilon, drop_rate, 1 - drop_rate)
        place = np.arange(columns) / (columns - 1) if columns > 1 else np.full(columns, 0.5)
        kept = (1 - drop_rate - reach) + place * (2 * reach)
        thresholds = np.round(kept * LEVELS).astype(np.uint32)
        return MagPrune(thresholds, np.divide(1.0, kept, out=np.zeros(columns), where=thresholds > 0))

    def apply(self, deltas: Sequence[Tensor], draw: Draw, row: int) -> None:
        """In place: entries become 0 at random, the others are divided by their own keep probability.

        deltas: (rows, columns) float64, one per input; row: number of the first.
        Entry i of a tensor draws the 16-bit integer number i of its input's stream. Of equal magnitudes the earlier
        column counts as smaller.
        """
        for index, delta in enumerate(deltas):
            count, columns = delta.numel(), delta.shape[1]
            # float32 ≥ 0 are ordered as their bits are: one sort of whole numbers, in which no two are equal
            bits = magnitude(delta).numpy().reshape(-1).view(np.uint32)
            keys = (bits.astype(np.int64) << 32) | np.arange(count)
            order = (np.sort(keys.reshape(-1, columns), axis=1) & 0xFFFFFFFF).astype(np.intp)
            levels = draw.stream(index).levels(row * columns, count)
            kept = levels[order] < self.thresholds
            factors = np.empty(count)
            factors[order] = kept * self.factors
            delta.mul_(torch.from_numpy(factors).view(delta.shape))
