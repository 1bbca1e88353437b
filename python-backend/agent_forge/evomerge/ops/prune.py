"""Random dropping by magnitude, the step that DELLA adds to DARE (MagPrune, Deep et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor

from .chunks import each_chunk, in_rows, row_shape
from .compiled import Array, flat, kernel
from .draw import Draw
from .philox import Words
from .statistics_cache import StatisticsCache
from .taskvectors import Outcome, Ranks, pruned
from .trim import Magnitudes as Sizes

Epsilon = Annotated[
    float, Field(ge=0, le=0.5, description="half-width of the range of drop probabilities; gives way at 0 and 1")
]


def by_magnitude(
    models: Sequence[Tensor],
    base: Tensor,
    draw: Draw,
    statistics: StatisticsCache,
    drop_rate: float,
    epsilon: float,
    outcome: Outcome,
) -> Tensor:
    """From p + ε for the smallest entry of a row down to p − ε for the largest, evenly; the others are rescaled."""
    reach = min(epsilon, drop_rate, 1 - drop_rate)
    kept = 1 - drop_rate - reach, 1 - drop_rate + reach
    order = [statistics([index], "ranks", partial(ranks, model, base)) for index, model in enumerate(models)]
    return pruned(models, base, order, [draw.stream(index) for index in range(len(models))], kept, outcome)


def ranks(model: Tensor, base: Tensor) -> Ranks:
    """Of each entry in its row, by magnitude of the task vector; of equals the earlier column counts as smaller."""
    columns = row_shape(base)[1]
    a, b = flat(model), flat(base)
    out: Ranks = np.empty(len(a), np.uint16) if columns <= 1 << 16 else np.empty(len(a), np.uint32)

    def work(start: int, stop: int) -> None:
        sizes, keys = np.empty(stop - start, dtype=np.float32), np.empty(stop - start, dtype=np.uint32)
        bits = sizes.view(np.uint32)
        _keys(keys, sizes, bits, a[start:stop], b[start:stop], columns)
        keys.reshape(-1, columns).sort(axis=1)
        _places(out[start:stop], keys, bits, columns)

    each_chunk(len(a), work, in_rows(columns))
    return out


@kernel
def _keys(keys: Words, sizes: Sizes, bits: Words, model: Array, base: Array, columns: int) -> None:
    """As many of a magnitude's first bits as the number of its column leaves room for, then that number.

    float32 ≥ 0 are ordered as their bits are, and whole numbers of 32 bits sort twice as fast as those of 64.
    """
    for i in range(len(sizes)):
        sizes[i] = abs(np.float64(model[i]) - np.float64(base[i]))
    mask = _prefix(columns)
    for at in range(0, len(keys), columns):
        _join(keys[at : at + columns], bits[at : at + columns], mask)


@kernel
def _join(keys: Words, bits: Words, mask: np.uint32) -> None:
    for column in range(len(keys)):
        # the sign's bit is 0
        keys[column] = (bits[column] << np.uint32(1)) & mask | np.uint32(column)


@kernel
def _prefix(columns: int) -> np.uint32:
    below = 1
    while below < columns:
        below *= 2
    return np.uint32(0xFFFFFFFF) ^ np.uint32(below - 1)


@kernel
def _places(out: Ranks, keys: Words, bits: Words, columns: int) -> None:
    """keys: sorted row by row; those of one prefix are put in order by all bits of their magnitudes."""
    mask = _prefix(columns)
    for at in range(0, len(keys), columns):
        rank = 0
        while rank < columns:
            first, prefix = rank, keys[at + rank] & mask
            while rank < columns and keys[at + rank] & mask == prefix:
                out[at + np.int64(keys[at + rank] & ~mask)] = rank
                rank += 1
            if rank - first > 1:
                _settle(out, keys[at + first : at + rank], bits, at, first, mask)


@kernel
def _settle(out: Ranks, keys: Words, bits: Words, at: int, first: int, mask: np.uint32) -> None:
    whole = np.empty(len(keys), dtype=np.int64)
    for i in range(len(keys)):
        column = np.int64(keys[i] & ~mask)
        whole[i] = np.int64(bits[at + column]) << 32 | column
    whole.sort()
    for i in range(len(keys)):
        out[at + (whole[i] & 0xFFFFFFFF)] = first + i
