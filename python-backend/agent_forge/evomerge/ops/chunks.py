"""Whole tensors in fixed chunks, widened a chunk at a time and shared out between threads.

Of memory a merge takes its result, which may be a mapped file, and a few chunks a thread: never a widened tensor.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import NonFinite
from . import buffer_pool
from .compiled import Array, kernel
from .rounding import FORMATS, round_into, widen_into

CHUNK = 1 << 16
"""Entries that a thread takes at once: long next to the microseconds that a call costs, short next to a tensor.
Sums are made of sums of chunks, so another number makes other bytes."""
_WIDENED = 1 << 15
"""As `CHUNK`, where chunks are copied to be widened or rounded: a few of them stay in the second-level cache."""

Fill = Callable[[Array, tuple[Array, ...], int], None]
"""(out, inputs, first): entries `first` and so on of the flat result, (n,), from the same entries of each input."""


@cache
def _pool(helpers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(helpers, thread_name_prefix="merge")


def each_chunk(count: int, work: Callable[[int, int], None], chunk: int = CHUNK) -> None:
    """Call work(start, stop) for every chunk of `count` entries, in any order, over as many threads as torch has."""
    taken = itertools.count()

    def run() -> None:
        while (start := next(taken) * chunk) < count:
            work(start, min(start + chunk, count))

    helpers = min(torch.get_num_threads(), math.ceil(count / chunk)) - 1
    helping = [_pool(helpers).submit(run) for _ in range(helpers)] if helpers > 0 else []
    try:
        run()
    finally:
        for one in helping:
            one.result()


class Reader:
    """Flat tensors of one size, read in chunks as float32, or as float64 where one of them is."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.wide = np.float64 if any(tensor.dtype == torch.float64 for tensor in tensors) else np.float32
        self._stored = [stored(tensor) for tensor in tensors]
        self._dtypes = [tensor.dtype for tensor in tensors]
        self._own = threading.local()
        self.copies = any(entries.dtype != self.wide for entries in self._stored)

    def __call__(self, start: int, stop: int) -> tuple[Array, ...]:
        """Entries from start to stop of each tensor; valid until this thread reads on."""
        return tuple(self._read(index, start, stop) for index in range(len(self._stored)))

    def sampled(self, stride: int) -> tuple[Array, ...]:
        """Every `stride`-th entry of each."""
        return tuple(
            _widened(np.empty(len(entries[::stride]), self.wide), np.ascontiguousarray(entries[::stride]), dtype)
            for entries, dtype in zip(self._stored, self._dtypes, strict=True)
        )

    def _read(self, index: int, start: int, stop: int) -> Array:
        entries = self._stored[index][start:stop]
        if entries.dtype == self.wide:
            return entries
        buffers: dict[Any, Array] = self._own.__dict__
        size = stop - start
        if index not in buffers or len(buffers[index]) < size:
            buffers[index] = np.empty(size, self.wide)
        return _widened(buffers[index][:size], entries, self._dtypes[index])


def stored(tensor: Tensor) -> Array:
    """(n,) its entries as they lie in memory; types of 16 bits as such integers. No copy where it is contiguous."""
    flat = tensor.detach().reshape(-1)
    found: Array = flat.view(torch.int16).numpy().view(np.uint16) if flat.dtype in FORMATS else flat.numpy()
    return found


def _widened(out: Array, entries: Array, dtype: torch.dtype) -> Array:
    if dtype in FORMATS:
        widen_into(out, entries, dtype)
    else:
        np.copyto(out, entries)
    return out


def each_read(
    tensors: Sequence[Tensor], work: Callable[[tuple[Array, ...], int, int], None], chunk: int = CHUNK
) -> None:
    """Call work(entries of each tensor, start, stop) for every chunk, as `each_chunk` does."""
    read = Reader(tensors)
    each_chunk(tensors[0].numel(), lambda start, stop: work(read(start, stop), start, stop), chunk)


def promoted(tensors: Sequence[Tensor]) -> torch.dtype:
    """The narrowest type that has the numbers of them all."""
    return reduce(torch.promote_types, (tensor.dtype for tensor in tensors))


def made(
    inputs: Sequence[Tensor], fill: Fill, *, dtype: torch.dtype | None = None, columns: int = 1, chunk: int = CHUNK
) -> Tensor:
    """A new tensor of the inputs' shape. dtype: else the narrowest type that has all inputs' numbers.

    `fill` writes what it computes in float64 once, and what is written is the result: `out` is float64 where the result
    is of 16 bits, and rounded from there. It is called on several threads at once, with whole rows of `columns`.
    Raises `NonFinite` where the result overflows.
    """
    target, read = dtype or promoted(inputs), Reader(inputs)
    tensor = buffer_pool.empty(inputs[0].shape, target)
    entries = stored(tensor)
    if target in FORMATS:
        own = threading.local()

        def work(start: int, stop: int) -> None:
            buffer = own.__dict__.get("buffer")
            if buffer is None or len(buffer) < stop - start:
                buffer = own.__dict__["buffer"] = np.empty(stop - start)
            out = buffer[: stop - start]
            fill(out, read(start, stop), start)
            if not round_into(entries[start:stop], out, target):
                raise NonFinite(f"the result overflows {str(target).removeprefix('torch.')}")
    else:
        bits = entries.view(np.uint32 if target == torch.float32 else np.uint64)
        infinity = bits.dtype.type(np.array(np.inf, entries.dtype).view(bits.dtype))

        def work(start: int, stop: int) -> None:
            fill(entries[start:stop], read(start, stop), start)
            # while the chunk is still in the cache
            if not _finite(bits[start:stop], infinity):
                raise NonFinite("the result overflows")

    if chunk == CHUNK and (read.copies or target in FORMATS):
        chunk = _WIDENED
    each_chunk(tensor.numel(), work, in_rows(columns, chunk))
    return tensor


def converted(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The tensor in another type, rounded once."""
    return (
        tensor
        if tensor.dtype == dtype
        else made([tensor], lambda out, arrays, first: _copy(out, arrays[0]), dtype=dtype)
    )


@kernel
def _copy(out: Array, entries: Array) -> None:
    for i in range(len(out)):
        out[i] = entries[i]


@kernel
def _finite(bits: Array, infinity: Any) -> bool:
    """Whether no float has all bits of its exponent set. infinity: one whose other bits are 0."""
    most = infinity ^ infinity
    for i in range(len(bits)):
        most = max(most, bits[i] & infinity)
    return bool(most != infinity)


def finite(tensor: Tensor) -> bool:
    """Whether a tensor holds neither NaN nor an infinity. Reads it once and copies nothing."""
    entries = stored(tensor)
    bits = entries.view(f"u{entries.dtype.itemsize}")
    infinity = bits.dtype.type(stored(torch.tensor([math.inf], dtype=tensor.dtype)).view(bits.dtype)[0])
    found: list[bool] = []

    def work(start: int, stop: int) -> None:
        if not found and not _finite(bits[start:stop], infinity):
            found.append(True)

    each_chunk(len(bits), work)
    return not found


def row_shape(tensor: Tensor) -> tuple[int, int]:
    """(rows, columns): a row is all that shares the first index; a vector is one row."""
    rows = tensor.shape[0] if tensor.dim() > 1 else 1
    return rows, tensor.numel() // rows if rows else 0


def in_rows(columns: int, chunk: int = CHUNK) -> int:
    """Entries of a chunk that ends where a row ends."""
    return max(1, chunk // max(1, columns)) * columns
