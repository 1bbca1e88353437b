"""Waits that double from the first to the longest, in seconds."""

from __future__ import annotations


class Backoff:
    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self.failures = 0
        """Since the last `reset`."""

    def next(self) -> float:
        wait = min(self._longest, self._first * 2.0 ** min(self.failures, 60))
        self.failures += 1
        return wait

    def reset(self) -> None:
        self.failures = 0
