"""How a worker's memory is handed out, and given back when a run has finished."""

from __future__ import annotations

import ctypes
import gc


def environment() -> dict[str, str]:
    """For a process that trains or breeds: memory in pages of 2 MB, where the system has them. glibc alone reads it,
    when the process starts.

    A training step of 58 M parameters gets and returns half a GB, and would wait for a hundred thousand page faults.
    """
    return {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def give_back() -> None:
    """To the system: glibc keeps what lies between blocks in use, after training some GB. Other libraries keep less."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
