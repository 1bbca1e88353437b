"""A cancelled task is interrupted; what must not be left half done finishes first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back() -> Iterator[None]:
    """An interrupt that arrives in here is raised at the end: half an import could not be begun again."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: arrived.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if arrived.is_set():
        raise KeyboardInterrupt
