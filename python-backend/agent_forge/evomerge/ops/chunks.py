"""Arithmetic over whole tensors in fixed chunks, so that thread count and machine do not change the bytes.

Only single IEEE operations (multiply, add, divide, compare) are used: they round alike wherever a chunk ends.
Fused ones (`lerp`, `addcmul`, `add(alpha=…)`) may round differently in a vector's tail. Sums run in numpy, whose
pairwise order depends on the length alone, and chunks' sums are added exactly.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from torch import Tensor

from . import recycled

CHUNK = 1 << 15
"""Entries. In float64 a chunk and its few temporaries stay in a core's cache, and torch runs an operation over no
more than so many on the calling thread: threads share chunks out, never one operation."""
_SHARE = 8
"""Chunks that a thread takes at once."""

_scratch = threading.local()


@cache
def _pool(helpers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(helpers, thread_name_prefix="merge")


def each_chunk(count: int, work: Callable[[int, int], None], chunk: int = CHUNK) -> None:
    """Call work(start, stop) for every chunk of `count` entries, in any order, over as many threads as torch has."""
    chunks = math.ceil(count / chunk)
    if chunks <= _SHARE:
        for start in range(0, count, chunk):
            work(start, min(start + chunk, count))
        return
    taken = itertools.count()

    def run() -> None:
        while (first := next(taken) * _SHARE) < chunks:
            for index in range(first, min(first + _SHARE, chunks)):
                work(index * chunk, min((index + 1) * chunk, count))

    helpers = min(torch.get_num_threads(), math.ceil(chunks / _SHARE)) - 1
    helping = [_pool(helpers).submit(run) for _ in range(helpers)] if helpers > 0 else []
    try:
        run()
    finally:
        for one in helping:
            one.result()


def _parts(flat: Sequence[Tensor], start: int, stop: int) -> list[Tensor]:
    """Float64 copies of one chunk of each tensor, in buffers that the thread uses again for the next."""
    buffers: list[Tensor] = _scratch.__dict__.setdefault("buffers", [])
    while len(buffers) < len(flat):
        buffers.append(torch.empty(CHUNK, dtype=torch.float64))
    return [buffer[: stop - start].copy_(tensor[start:stop]) for buffer, tensor in zip(buffers, flat, strict=False)]


def by_chunks(merge: Callable[[list[Tensor]], Tensor], tensors: Sequence[Tensor]) -> Tensor:
    """Apply an elementwise function to flat float64 copies of the tensors, chunk by chunk.

    merge: gets one chunk of each tensor, (n,) float64, free to change in place; returns (n,) float64. It is called
    on several threads at once.
    Returns a new tensor of the first one's shape and dtype.
    """
    return by_numbered_chunks(lambda parts, _: merge(parts), tensors)


def by_numbered_chunks(merge: Callable[[list[Tensor], int], Tensor], tensors: Sequence[Tensor]) -> Tensor:
    """As `by_chunks`; merge also gets the chunk's number."""
    first = tensors[0]
    flat = [tensor.reshape(-1) for tensor in tensors]
    out = recycled.empty(first.shape, first.dtype)
    target = out.view(-1)

    def work(start: int, stop: int) -> None:
        target[start:stop] = merge(_parts(flat, start, stop), start // CHUNK)

    each_chunk(first.numel(), work)
    return out


def by_rows(merge: Callable[[list[Tensor], int], Tensor], tensors: Sequence[Tensor]) -> Tensor:
    """As `by_chunks`, in blocks of whole rows: all that share the first index; a vector is one row.

    merge: gets (rows, columns) float64 of each tensor and the number of the first row; returns (rows, columns).
    """
    first = tensors[0]
    rows, columns = row_shape(first)
    flat = [tensor.reshape(rows, columns) for tensor in tensors]
    out = recycled.empty(first.shape, first.dtype)
    target = out.view(rows, columns)

    def work(start: int, stop: int) -> None:
        target[start:stop] = merge([one[start:stop].to(torch.float64, copy=True) for one in flat], start)

    each_chunk(rows, work, rows_at_once(columns))
    return out


def row_shape(tensor: Tensor) -> tuple[int, int]:
    """(rows, columns) as `by_rows` sees them."""
    rows = tensor.shape[0] if tensor.dim() > 1 else 1
    return rows, tensor.numel() // rows if rows else 0


def rows_at_once(columns: int) -> int:
    return max(1, CHUNK // max(1, columns))


def total(count: int, part: Callable[[int, int], float]) -> float:
    """Σ part(start, stop) over all chunks, added exactly."""
    sums = [0.0] * math.ceil(count / CHUNK)

    def work(start: int, stop: int) -> None:
        sums[start // CHUNK] = part(start, stop)

    each_chunk(count, work)
    return math.fsum(sums)


def inner_products(tensors: Sequence[Tensor]) -> list[list[float]]:
    """Σ aᵢbᵢ of every two flattened tensors, float64; each tensor is read once."""
    count = len(tensors)
    flat = [tensor.reshape(-1) for tensor in tensors]
    pairs = [(i, j) for i in range(count) for j in range(i, count)]
    sums = [[0.0] * len(pairs) for _ in range(math.ceil(flat[0].numel() / CHUNK))]

    def work(start: int, stop: int) -> None:
        parts = [part.numpy() for part in _parts(flat, start, stop)]
        sums[start // CHUNK] = [float(np.add.reduce(parts[i] * parts[j])) for i, j in pairs]

    each_chunk(flat[0].numel(), work)
    table = [[0.0] * count for _ in range(count)]
    for index, (i, j) in enumerate(pairs):
        table[i][j] = table[j][i] = math.fsum(row[index] for row in sums)
    return table


def deviation(a: Tensor) -> float:
    """Standard deviation of the entries (population), float64; 0 for an empty tensor."""
    count = a.numel()
    if count == 0:
        return 0.0
    flat = a.reshape(-1)

    def entries(start: int, stop: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return _parts([flat], start, stop)[0].numpy()

    mean = total(count, lambda start, stop: float(np.add.reduce(entries(start, stop)))) / count
    squares = total(count, lambda start, stop: float(np.add.reduce(np.square(entries(start, stop) - mean))))
    return math.sqrt(squares / count)


def lincomb(parts: Sequence[Tensor], factors: Sequence[float]) -> Tensor:
    """Σ factorᵢ · partᵢ; overwrites the parts."""
    total = parts[0].mul_(factors[0])
    for part, factor in zip(parts[1:], factors[1:], strict=True):
        total.add_(part.mul_(factor))
    return total
