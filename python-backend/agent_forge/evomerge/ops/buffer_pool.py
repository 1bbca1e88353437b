"""Memory of freed tensors, reused: the kernel takes longer to hand out fresh pages than a merge takes to compute.

A buffer comes back by itself when the last tensor on it goes.
"""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

LEAST = 1 << 20
"""Bytes. Below this malloc reuses memory itself."""
MOST = 1 << 30
"""Bytes kept in all; beyond, memory goes back to the system. A few models of 58 M parameters."""

Buffer = npt.NDArray[np.uint8]

_lock = threading.Lock()
_free: dict[int, list[Buffer]] = defaultdict(list)
_kept = 0


Allocate = Callable[[torch.Size, torch.dtype], Tensor | None]
"""A tensor of this shape and type, contiguous and on the CPU; None leaves it to the pool."""
_elsewhere: ContextVar[Allocate | None] = ContextVar("elsewhere", default=None)


@contextmanager
def allocated_by(allocate: Allocate) -> Iterator[None]:
    """What merges make in this context, and on this thread, lies where `allocate` says."""
    token = _elsewhere.set(allocate)
    try:
        yield
    finally:
        _elsewhere.reset(token)


def empty(shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """As `torch.empty`, on the CPU."""
    allocate = _elsewhere.get()
    found = allocate(shape, dtype) if allocate is not None else None
    if found is not None:
        return found
    size = shape.numel() * dtype.itemsize
    if size < LEAST:
        return torch.empty(shape, dtype=dtype)
    buffer = _take(size)
    view = buffer.view()
    weakref.finalize(view, _give_back, buffer).atexit = False
    return torch.from_numpy(view).view(dtype).view(shape)


def _take(size: int) -> Buffer:
    global _kept
    with _lock:
        if _free[size]:
            _kept -= size
            return _free[size].pop()
    return np.empty(size, dtype=np.uint8)


def _give_back(buffer: Buffer) -> None:
    global _kept
    # A finaliser may run inside `_take`, on the same thread: then the buffer is let go.
    if not _lock.acquire(blocking=False):
        return
    try:
        if _kept + buffer.nbytes <= MOST:
            _kept += buffer.nbytes
            _free[buffer.nbytes].append(buffer)
    finally:
        _lock.release()
