"""How a worker's memory is handed out, and how much of it is its own."""

from __future__ import annotations

import psutil


def environment() -> dict[str, str]:
    """For a process that trains or breeds: memory in pages of 2 MB, where the system has them. glibc alone reads it,
    when the process starts.

    A training step of 58 M parameters gets and returns half a GB, and would wait for a hundred thousand page faults.
    """
    return {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def own_bytes() -> int:
    """Of this process in memory, without what it shares with others, such as mapped files.

    Allocators keep what lies between blocks in use: after training 58 M parameters, 3 GB that nothing needs.
    """
    found = psutil.Process().memory_info()
    return int(found.rss) - int(getattr(found, "shared", 0))
