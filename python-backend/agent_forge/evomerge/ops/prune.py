"""Random dropping by magnitude, the step that DELLA adds to DARE (MagPrune, Deep et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field
from torch import Tensor

from .chunks import each_chunk, in_rows, row_shape
from .compiled import Array, flat, kernel
from .draw import Draw
from .known import Known
from .taskvectors import Outcome, Ranks, pruned

Epsilon = Annotated[
    float, Field(ge=0, le=0.5, description="half-width of the range of drop probabilities; gives way at 0 and 1")
]


def by_magnitude(
    models: Sequence[Tensor],
    base: Tensor,
    draw: Draw,
    known: Known,
    drop_rate: float,
    epsilon: float,
    outcome: Outcome,
) -> Tensor:
    """From p + ε for the smallest entry of a row down to p − ε for the largest, evenly; the others are rescaled."""
    reach = min(epsilon, drop_rate, 1 - drop_rate)
    kept = 1 - drop_rate - reach, 1 - drop_rate + reach
    order = [known([index], "ranks", partial(ranks, model, base)) for index, model in enumerate(models)]
    return pruned(models, base, order, [draw.stream(index) for index in range(len(models))], kept, outcome)


def ranks(model: Tensor, base: Tensor) -> Ranks:
    """Of each entry in its row, by magnitude of the task vector; of equals the earlier column counts as smaller."""
    columns = row_shape(base)[1]
    a, b = flat(model), flat(base)
    out: Ranks = np.empty(len(a), np.uint16) if columns <= 1 << 16 else np.empty(len(a), np.uint32)

    def work(start: int, stop: int) -> None:
        # float32 ≥ 0 are ordered as their bits are: one sort of whole numbers, in which no two are equal
        keys = np.empty(stop - start, dtype=np.int64)
        _keys(keys, a[start:stop], b[start:stop])
        keys.reshape(-1, columns).sort(axis=1)
        _places(out[start:stop], keys, columns)

    each_chunk(len(a), work, in_rows(columns))
    return out


@kernel
def _keys(keys: npt.NDArray[np.int64], model: Array, base: Array) -> None:
    sizes = np.empty(len(keys), dtype=np.float32)
    bits = sizes.view(np.uint32)
    for i in range(len(keys)):
        sizes[i] = abs(np.float64(model[i]) - np.float64(base[i]))
    for i in range(len(keys)):
        keys[i] = np.int64(bits[i]) << 32 | i


@kernel
def _places(out: Ranks, keys: npt.NDArray[np.int64], columns: int) -> None:
    for at in range(0, len(keys), columns):
        for rank in range(columns):
            out[keys[at + rank] & 0xFFFFFFFF] = rank
