"""Magnitudes of task vectors and their exact order statistics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock

import numpy as np
import numpy.typing as npt
from torch import Tensor

from .chunks import CHUNK, Reader, each_chunk
from .compiled import Array, kernel
from .statistics_cache import StatisticsCache

Magnitudes = npt.NDArray[np.float32]

_SAMPLE = 1 << 14
"""Entries that bracket an order statistic."""
_SLACK = 6.0
"""Standard deviations of the sample's rank that the bracket is wide."""


def kept_count(share: float, count: int) -> int:
    """How many of `count` entries are the top `share`: rounded down as mergekit does, but at least one."""
    return max(1, int(share * count)) if share > 0 and count > 0 else 0


def floors(models: Sequence[Tensor], base: Tensor, ranks: Sequence[int], statistics: StatisticsCache) -> list[float]:
    """Of each task vector the magnitude of its rank, from 1 for the largest; 0 of the last rank, infinity of rank 0."""
    count = base.numel()
    return [
        math.inf
        if k == 0
        else 0.0
        if k == count
        else statistics([index], ("k-th largest", k), partial(kth_largest, model, base, k))
        for index, (model, k) in enumerate(zip(models, ranks, strict=True))
    ]


def kth_largest(model: Tensor, base: Tensor, k: int) -> float:
    """The exact k-th largest magnitude of the task vector model − base; k from 1."""
    return kth([model, base], lambda out, arrays, first, stride: magnitudes(out, arrays[0], arrays[1]), k)


@kernel
def magnitudes(out: Magnitudes, model: Array, base: Array) -> None:
    """|model − base|, what entries are ranked by, (n,)."""
    for i in range(len(out)):
        out[i] = abs(np.float64(model[i]) - np.float64(base[i]))


def kth(tensors: Sequence[Tensor], measure: Measure, k: int) -> float:
    """The exact k-th largest of what is measured of the entries, numbers ≥ 0; k from 1.

    A sample brackets it; one pass counts what lies above and collects what lies within, some hundredths of them all.
    """
    read, count = Reader(tensors), tensors[0].numel()
    if count <= 4 * _SAMPLE:
        values = np.empty(count, dtype=np.float32)
        measure(values, read(0, count), 0, 1)
        return _select(values, k)
    # odd, so that the sample visits all columns
    stride = (count // _SAMPLE) | 1
    arrays = read.sampled(stride)
    sample = np.empty(len(arrays[0]), dtype=np.float32)
    measure(sample, arrays, 0, stride)
    sample.sort()
    share, size = k / count, len(sample)
    slack = _SLACK * (math.sqrt(share * (1 - share) * size) + 1)
    above, within = math.floor(size * share - slack), math.ceil(size * share + slack)
    high = sample[size - above] if above > 0 else np.float32(np.inf)
    low = sample[size - 1 - within] if within < size else np.float32(0)
    chunks = math.ceil(count / CHUNK)
    # of each chunk: above, at high, at low
    counts, bracketed = np.zeros((chunks, 3), dtype=np.int64), [sample[:0]] * chunks

    def work(start: int, stop: int) -> None:
        values, found = np.empty(stop - start, dtype=np.float32), np.empty(stop - start, dtype=np.float32)
        measure(values, read(start, stop), start, 1)
        bracketed[start // CHUNK] = found[: _bracketed(found, counts[start // CHUNK], values, low, high)].copy()

    each_chunk(count, work)
    larger, highest, lowest = counts.sum(axis=0).tolist()
    found, rank = np.concatenate(bracketed), k - larger
    if 0 < rank <= highest:
        return float(high)
    rank -= highest
    if 0 < rank <= len(found):
        return _select(found, rank)
    if 0 < rank - len(found) <= lowest:
        return float(low)
    return _counted_out(read, measure, k, count)


Measure = Callable[[Magnitudes, tuple[Array, ...], int, int], None]
"""(out, entries of each tensor, number of the first, distance of their numbers) → float32 numbers ≥ 0 into out."""


@kernel
def _bracketed(
    found: Magnitudes, counts: npt.NDArray[np.int64], values: Magnitudes, low: np.float32, high: np.float32
) -> int:
    """How many are between `low` and `high`, which are copied to the beginning of `found`. counts: of those above
    `high`, at `high`, and at `low` where that is another number. Many entries may be equal, which need no copies."""
    larger, highest, lowest, size = 0, 0, 0, 0
    for value in values:
        larger += value > high
        highest += value == high
        lowest += (value == low) & (value < high)
        found[size] = value
        size += (value > low) & (value < high)
    counts[0], counts[1], counts[2] = larger, highest, lowest
    return size


def _counted_out(read: Reader, measure: Measure, k: int, count: int) -> float:
    """Where the sample did not bracket it: by the first half of the numbers' bits, then by the second."""
    first = _histogram(read, measure, count, None)
    top, rank = _place(first, k)
    second = _histogram(read, measure, count, top)
    bottom, _ = _place(second, rank)
    return float(np.array([top << 16 | bottom], dtype=np.uint32).view(np.float32)[0])


def _place(counted: npt.NDArray[np.int64], rank: int) -> tuple[int, int]:
    """The largest-first bucket that the rank falls in, and the rank within it."""
    passed = np.cumsum(counted[::-1])
    index = int(np.searchsorted(passed, rank))
    return len(counted) - 1 - index, rank - (int(passed[index - 1]) if index else 0)


def _histogram(read: Reader, measure: Measure, count: int, top: int | None) -> npt.NDArray[np.int64]:
    """Of the first 16 bits, or, of the numbers whose first 16 are `top`, of the last."""
    lock, total = Lock(), np.zeros(1 << 16, dtype=np.int64)

    def work(start: int, stop: int) -> None:
        values = np.empty(stop - start, dtype=np.float32)
        measure(values, read(start, stop), start, 1)
        bits = values.view(np.uint32)
        counted = np.bincount(bits >> 16 if top is None else bits[bits >> 16 == top] & 0xFFFF, minlength=1 << 16)
        with lock:
            total[:] += counted

    each_chunk(count, work)
    return total


def _select(values: Magnitudes, k: int) -> float:
    position = len(values) - k
    return float(np.partition(values, position)[position])
