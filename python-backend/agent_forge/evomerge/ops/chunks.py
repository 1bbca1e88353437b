"""Whole tensors in fixed chunks, shared out between threads."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor

from . import recycled
from .compiled import Array

CHUNK = 1 << 16
"""Entries that a thread takes at once: long beside the microseconds that a call costs, short beside a tensor."""


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
    """
    dtype = like.dtype if like.dtype in (torch.float32, torch.float64) else torch.float32
    tensor = recycled.empty(like.shape, dtype)
    out = tensor.view(-1).numpy()
    each_chunk(like.numel(), lambda start, stop: fill(out, start, stop), chunk)
    return tensor.to(like.dtype)


def row_shape(tensor: Tensor) -> tuple[int, int]:
    """(rows, columns): a row is all that shares the first index; a vector is one row."""
    rows = tensor.shape[0] if tensor.dim() > 1 else 1
    return rows, tensor.numel() // rows if rows else 0


def in_rows(columns: int) -> int:
    """Entries of a chunk that ends where a row ends."""
    return max(1, CHUNK // max(1, columns)) * columns
