"""Loops over entries, compiled: one pass over memory, whatever the number of operations.

Numba compiles them without fast-math: each operation is rounded by itself as IEEE 754 says, nothing is fused or
reordered, sums run in the order in which they are written. So the bytes are those of the same loop in Python, on every
machine. Kernels release the interpreter's lock.

Compiled code is kept beside the sources, or in the user's cache where that can't be written to: the first use of a
kernel on a machine takes seconds, later ones milliseconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt
import torch
from numba.core.caching import InTreeCacheLocator, UserWideCacheLocator
from torch import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])
Value = TypeVar("Value")
Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Inputs = tuple[Array, ...]
Factors = tuple[float, ...]
"""One of each input."""

BLOCK = 512
"""Entries that a kernel takes from step to step: in float64 a few rows of them stay in the first-level cache."""


@cache
def _sources() -> bytes:
    found = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        found.update(file.read_bytes())
    return found.digest()


class _Stamped:
    """Numba would compare the file of a kernel alone; what it calls, and constants, are in others."""

    def get_source_stamp(self) -> bytes:
        return _sources()


class BesideTheSources(_Stamped, InTreeCacheLocator):
    pass


class InTheUsersCache(_Stamped, UserWideCacheLocator):
    pass


numba.config.CACHE_LOCATOR_CLASSES = f"{__name__}.BesideTheSources,{__name__}.InTheUsersCache"  # type: ignore[attr-defined]

if TYPE_CHECKING:

    def kernel(function: Function) -> Function: ...

else:

    def kernel(function: Function) -> Function:
        """Compile for the types of its first arguments, and again for others."""
        options = {"nogil": True, "error_model": "numpy"}
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # nowhere to keep it
            return numba.njit(**options)(function)


@kernel
def copy(out: Array, entries: Array) -> None:
    """As `out[:] = entries`, which Numba does not compile to vector instructions."""
    for i in range(len(out)):
        out[i] = entries[i]


@kernel
def clear(out: Array) -> None:
    for i in range(len(out)):
        out[i] = 0.0


def flat(tensor: Tensor) -> Array:
    """(n,) float32 or float64, what a kernel reads; narrower types are widened. No copy where none is needed."""
    wide = tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.to(torch.float32)
    flattened: Array = wide.detach().reshape(-1).numpy()
    return flattened


def many(tensors: Sequence[Tensor]) -> tuple[Array, ...]:
    """As `flat`, of several tensors of one type, `filled`."""
    arrays = [flat(tensor) for tensor in tensors]
    return filled(arrays, arrays[0])


def filled(values: Sequence[Value], filler: Value) -> tuple[Value, ...]:
    """What a kernel reads of each input, with fillers until there are 4, 8, 16, ….

    The length is part of a kernel's type: a loop over it is unrolled, which a loop over a number is not. If it were
    the number of inputs, each number would cost a compilation. A filler must add nothing: inputs repeat, weights are 0.
    """
    length = 4
    while length < len(values):
        length *= 2
    return (*values, *[filler] * (length - len(values)))


def present_of(inputs: Sequence[object]) -> Factors:
    """1 for each input, 0 for a filler."""
    return filled([1.0] * len(inputs), 0.0)
