"""One owner of a data directory at a time. The kernel drops the lock with the process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from .errors import DataDirectoryInUseError


def lock(data: Path) -> int:
    """The descriptor that holds the lock: close it to let go. Raises DataDirectoryInUseError."""
    data.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise DataDirectoryInUseError(f"another backend uses {data}") from error
    return descriptor
