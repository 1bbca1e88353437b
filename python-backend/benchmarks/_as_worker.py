"""A benchmark runs in the environment that a worker gets, part of which takes effect only when a process starts."""

from __future__ import annotations

import os
import sys

from agent_forge.worker import memory


def as_worker(module: str) -> None:
    """Start this process again where it lacks that environment. module: the benchmark's name in this package."""
    missing = {name: value for name, value in memory.environment().items() if name not in os.environ}
    if missing:
        again = [sys.executable, "-m", f"{__package__}.{module}", *sys.argv[1:]]
        os.execve(sys.executable, again, {**os.environ, **missing})  # noqa: S606 - the same program
