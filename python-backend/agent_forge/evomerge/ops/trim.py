"""Magnitudes of task vectors and their exact order statistics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .chunks import CHUNK, each_chunk

Floor = Callable[[int, int], float]
"""(input, k) → the k-th largest magnitude of that input's task vector in the tensor at hand; k from 1."""
Magnitudes = npt.NDArray[np.float32]

_SAMPLE = 1 << 14
"""Entries that bracket an order statistic."""
_SLACK = 6.0
"""Standard deviations of the sample's rank that the bracket is wide."""


def kept_count(share: float, count: int) -> int:
    """How many of `count` entries are the top `share`: rounded down as mergekit does, but one at least."""
    return max(1, int(share * count)) if share > 0 and count > 0 else 0


def magnitude(delta: Tensor) -> Tensor:
    """|delta| as float32: what entries are ranked by."""
    return delta.to(torch.float32).abs_()


def trim(deltas: Sequence[Tensor], floors: Sequence[float]) -> None:
    """In place: entries whose magnitude is below the floor become 0. deltas: float64."""
    for delta, least in zip(deltas, floors, strict=True):
        if least > 0:
            torch.hardshrink(delta, _below(least), out=delta)


def _below(least: float) -> float:
    """The largest float64 that is below `least` when it is rounded to float32."""
    edge = np.float32(least)
    middle = (float(np.nextafter(edge, np.float32(0))) + float(edge)) / 2
    return middle if np.float32(middle) < edge else float(np.nextafter(middle, 0.0))


def kth_largest(model: Tensor, base: Tensor, k: int) -> float:
    """The exact k-th largest magnitude of the task vector model − base; k from 1."""
    flat, origin = model.reshape(-1), base.reshape(-1)
    return kth(lambda at: magnitude(flat[at].to(torch.float64, copy=True).sub_(origin[at])).numpy(), len(flat), k)


def kth(values: Callable[[slice], Magnitudes], count: int, k: int) -> float:
    """The exact k-th largest of `count` values ≥ 0; k from 1. values: those of a slice, float32.

    A sample brackets it; one pass counts what lies above and collects what lies within.
    """
    if count <= 4 * _SAMPLE:
        return _select(values(slice(0, count)), k)
    # an odd stride, so that the sample visits all columns
    sample = np.sort(values(slice(0, count, (count // _SAMPLE) | 1)))
    share, size = k / count, len(sample)
    slack = _SLACK * (math.sqrt(share * (1 - share) * size) + 1)
    above, within = math.floor(size * share - slack), math.ceil(size * share + slack)
    high = float(sample[size - above]) if above > 0 else math.inf
    low = float(sample[size - 1 - within]) if within < size else 0.0
    chunks = math.ceil(count / CHUNK)
    larger, bracketed = [0] * chunks, [sample[:0]] * chunks

    def work(start: int, stop: int) -> None:
        part = values(slice(start, stop))
        over = part > high
        larger[start // CHUNK] = int(np.count_nonzero(over))
        bracketed[start // CHUNK] = part[(part >= low) ^ over]

    each_chunk(count, work)
    rank, found = k - sum(larger), np.concatenate(bracketed)
    return _select(found, rank) if 0 < rank <= len(found) else _select(values(slice(0, count)), k)


def _select(values: Magnitudes, k: int) -> float:
    position = len(values) - k
    return float(np.partition(values, position)[position])
