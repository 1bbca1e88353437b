"""Time left, from the median rate of the recent past: one slow step or one pause does not move it."""

from __future__ import annotations

from collections import deque
from statistics import median


class Eta:
    """Fed with (clock, done) readings of one attempt; a stage that is slower shows within `window` readings."""

    def __init__(self, window: int = 64) -> None:
        self._seconds_per_unit: deque[float] = deque(maxlen=window)
        self._last: tuple[float, int] | None = None

    def update(self, clock: float, done: int, total: int) -> float | None:
        """Seconds left; None before two readings that differ."""
        if self._last is None:
            self._last = (clock, done)
        elif done > self._last[1]:
            self._seconds_per_unit.append((clock - self._last[0]) / (done - self._last[1]))
            self._last = (clock, done)
        elif done < self._last[1]:
            self._last = (clock, done)
        if not self._seconds_per_unit:
            return None
        return max(0, total - done) * median(self._seconds_per_unit)
