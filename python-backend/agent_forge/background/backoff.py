"""How long the backend's processes wait before they try again what has failed: the policies, and the wait itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """Waits that double from the first to the longest, in seconds."""

    first: float
    longest: float


TASK = Policy(0.2, 3.0)
"""A background task of the API process: clients wait for what it does."""
WORKER_START = Policy(0.5, 30.0)
"""Between two lives of a worker that ends soon: a start costs seconds of CPU."""
STORE = Policy(0.5, 5.0)
"""A worker's write that the store refused: a full disk or a locked database passes by itself."""
STEADY_SECONDS = 60.0
"""What went well for so long before it failed starts with the first wait again."""


class Backoff:
    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.failures = 0
        """Since the last `reset`."""

    def next(self) -> float:
        wait = min(self._policy.longest, self._policy.first * 2.0 ** min(self.failures, 60))
        self.failures += 1
        return wait

    def reset(self) -> None:
        self.failures = 0
