"""Magnitudes of task vectors and their exact order statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from . import buffer_pool
from .chunks import CHUNK, each_chunk
from .compiled import Array, flat, kernel
from .statistics_cache import StatisticsCache

Magnitudes = npt.NDArray[np.float32]

_SAMPLE = 1 << 14
"""Entries that bracket an order statistic."""
_SLACK = 6.0
"""Standard deviations of the sample's rank that the bracket is wide."""


def kept_count(share: float, count: int) -> int:
    """How many of `count` entries are the top `share`: rounded down as mergekit does, but at least one."""
    return max(1, int(share * count)) if share > 0 and count > 0 else 0


def floors(models: Sequence[Tensor], base: Tensor, k: int, statistics: StatisticsCache) -> list[float]:
    """Each task vector's k-th largest magnitude; 0 where k is the number of entries."""
    if k == base.numel():
        return [0.0] * len(models)
    return [
        statistics([index], ("k-th largest", k), partial(kth_largest, model, base, k))
        for index, model in enumerate(models)
    ]


def kth_largest(model: Tensor, base: Tensor, k: int) -> float:
    """The exact k-th largest magnitude of the task vector model − base; k from 1."""
    return kth(magnitudes(model, base), k)


def magnitudes(model: Tensor, base: Tensor) -> Magnitudes:
    """|model − base|, what entries are ranked by, (n,)."""
    a, b = flat(model), flat(base)
    out = scratch(len(a))
    each_chunk(len(a), lambda start, stop: _magnitudes(out[start:stop], a[start:stop], b[start:stop]))
    return out


def scratch(count: int) -> Magnitudes:
    return buffer_pool.empty(torch.Size((count,)), torch.float32).numpy()


@kernel
def _magnitudes(out: Magnitudes, model: Array, base: Array) -> None:
    for i in range(len(out)):
        out[i] = abs(np.float64(model[i]) - np.float64(base[i]))


def kth(values: Magnitudes, k: int) -> float:
    """The exact k-th largest of values ≥ 0; k from 1.

    A sample brackets it; one pass counts what lies above and collects what lies within.
    """
    count = len(values)
    if count <= 4 * _SAMPLE:
        return _select(values, k)
    # an odd stride, so that the sample visits all columns
    sample = np.sort(values[:: (count // _SAMPLE) | 1])
    share, size = k / count, len(sample)
    slack = _SLACK * (math.sqrt(share * (1 - share) * size) + 1)
    above, within = math.floor(size * share - slack), math.ceil(size * share + slack)
    high = sample[size - above] if above > 0 else np.float32(np.inf)
    low = sample[size - 1 - within] if within < size else np.float32(0)
    chunks = math.ceil(count / CHUNK)
    larger, bracketed = [0] * chunks, [sample[:0]] * chunks

    def work(start: int, stop: int) -> None:
        found = np.empty(stop - start, dtype=np.float32)
        larger[start // CHUNK], size = _bracketed(found, values[start:stop], low, high)
        bracketed[start // CHUNK] = found[:size].copy()

    each_chunk(count, work)
    rank, found = k - sum(larger), np.concatenate(bracketed)
    return _select(found, rank) if 0 < rank <= len(found) else _select(values, k)


@kernel
def _bracketed(found: Magnitudes, values: Magnitudes, low: np.float32, high: np.float32) -> tuple[int, int]:
    """How many are above `high`; how many from `low` to `high`, which are copied to the beginning of `found`."""
    larger, size = 0, 0
    for value in values:
        larger += value > high
        found[size] = value
        size += (value >= low) & (value <= high)
    return larger, size


def _select(values: Magnitudes, k: int) -> float:
    position = len(values) - k
    return float(np.partition(values, position)[position])
