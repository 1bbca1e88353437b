"""Memory that a finished run has freed."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """To the system: glibc keeps what lies between blocks in use, after training some GB. Other libraries keep less."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
