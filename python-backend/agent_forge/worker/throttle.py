"""Live events of one run: at most ten of a kind per second, the latest wins, the last is always sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..background import threads

INTERVAL = 0.1
"""Seconds between two of a kind."""


class Latest:
    """Holds the newest message of each kind and passes it on from a thread of its own."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._waiting: dict[str, Callable[[], dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread = threads.start("live", self._run)

    def put(self, kind: str, make: Callable[[], dict[str, Any]]) -> None:
        """`make` is called only where the message is really sent."""
        with self._lock:
            self._waiting[kind] = make
        self._wake.set()

    def close(self) -> None:
        """Send what is left and stop."""
        self._closed.set()
        self._wake.set()
        self._thread.join()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for make in waiting.values():
            self._send(make())

    def _run(self) -> None:
        while not self._closed.is_set():
            self._wake.wait()
            self._wake.clear()
            self._flush()
            self._closed.wait(INTERVAL)
