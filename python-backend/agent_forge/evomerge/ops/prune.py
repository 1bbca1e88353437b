"""Random dropping by magnitude, the step that DELLA adds to DARE (MagPrune, Deep et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor

from .chunks import each_read, in_rows, row_shape
from .compiled import Array, kernel
from .draw import Draw
from .philox import Words
from .registry import PerInput, Shares, each
from .statistics_cache import StatisticsCache, nothing_cached
from .taskvectors import Outcome, Ranking, Ranks, pruned
from .trim import Magnitudes as Sizes

Epsilon = Annotated[
    Shares,
    PerInput(),
    Field(ge=0, le=0.5, description="half-width of the range of drop probabilities; gives way at 0 and 1"),
]


def by_magnitude(
    models: Sequence[Tensor],
    base: Tensor,
    draw: Draw,
    statistics: StatisticsCache,
    drop_rate: Shares,
    epsilon: Shares,
    outcome: Outcome,
) -> Tensor:
    """From p + ε for the smallest entry of a row down to p − ε for the largest, evenly; the others are rescaled."""
    kept = []
    for rate, width in zip(each(drop_rate, len(models)), each(epsilon, len(models)), strict=True):
        reach = min(width, rate, 1 - rate)
        kept.append((1 - rate - reach, 1 - rate + reach))
    if max(most for _, most in kept) == 0:
        return base
    columns = row_shape(base)[1]
    if statistics is nothing_cached:
        ranking: Ranking = lambda index, entries, origin, first: _ranks_of(entries, origin, columns)  # noqa: E731
    else:
        known = [statistics([index], "ranks", partial(ranks, model, base)) for index, model in enumerate(models)]
        ranking = lambda index, entries, origin, first: known[index][first : first + len(entries)]  # noqa: E731
    return pruned(models, base, ranking, [draw.stream(index) for index in range(len(models))], kept, outcome)


def ranks(model: Tensor, base: Tensor) -> Ranks:
    """Of each entry in its row, by magnitude of the task vector; of equals the earlier column counts as smaller."""
    columns = row_shape(base)[1]
    out = _empty(base.numel(), columns)

    def work(arrays: tuple[Array, ...], start: int, stop: int) -> None:
        out[start:stop] = _ranks_of(arrays[0], arrays[1], columns)

    each_read([model, base], work, in_rows(columns))
    return out


def _empty(count: int, columns: int) -> Ranks:
    return np.empty(count, np.uint16) if columns <= 1 << 16 else np.empty(count, np.uint32)


def _ranks_of(model: Array, base: Array, columns: int) -> Ranks:
    """Of whole rows."""
    out = _empty(len(model), columns)
    sizes, keys = np.empty(len(model), dtype=np.float32), np.empty(len(model), dtype=np.uint32)
    bits = sizes.view(np.uint32)
    _keys(keys, sizes, bits, model, base, columns)
    keys.reshape(-1, columns).sort(axis=1)
    _places(out, keys, bits, columns)
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
