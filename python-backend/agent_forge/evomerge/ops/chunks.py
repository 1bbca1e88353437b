"""Whole tensors in fixed chunks, shared out between threads."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import NonFinite
from . import buffer_pool
from .compiled import Array, kernel

CHUNK = 1 << 16
"""Entries that a thread takes at once: long next to the microseconds that a call costs, short next to a tensor."""


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


def made(like: Tensor, fill: Callable[[Array, int, int], None], chunk: int = CHUNK) -> Tensor:
    """A new tensor of the same shape and dtype. fill(out, start, stop) writes these entries of the flat result.

    `out` is float32 where the dtype is narrower than that. `fill` is called on several threads at once.
    Raises `NonFinite` where the result overflows.
    """
    narrow = like.dtype not in (torch.float32, torch.float64)
    tensor = buffer_pool.empty(like.shape, torch.float32 if narrow else like.dtype)
    out = tensor.view(-1).numpy()
    bits = out.view(np.uint32 if out.dtype == np.float32 else np.uint64)
    infinity = bits.dtype.type(np.array(np.inf, out.dtype).view(bits.dtype))

    def work(start: int, stop: int) -> None:
        fill(out, start, stop)
        # while the chunk is still in the cache
        if not _finite(bits[start:stop], infinity):
            raise NonFinite("the result overflows")

    each_chunk(like.numel(), work, chunk)
    result = tensor.to(like.dtype)
    if narrow and not bool(result.isfinite().all()):
        raise NonFinite(f"the result overflows {str(like.dtype).removeprefix('torch.')}")
    return result


@kernel
def _finite(bits: Array, infinity: Any) -> bool:
    """Whether no float has all bits of its exponent set. infinity: one whose other bits are 0."""
    most = infinity ^ infinity
    for i in range(len(bits)):
        most = max(most, bits[i] & infinity)
    return bool(most != infinity)


def row_shape(tensor: Tensor) -> tuple[int, int]:
    """(rows, columns): a row is all that shares the first index; a vector is one row."""
    rows = tensor.shape[0] if tensor.dim() > 1 else 1
    return rows, tensor.numel() // rows if rows else 0


def in_rows(columns: int) -> int:
    """Entries of a chunk that ends where a row ends."""
    return max(1, CHUNK // max(1, columns)) * columns
