"""What working on one candidate takes, by a model's size."""

from __future__ import annotations

from ..execution.resources import PROCESS_BYTES

MODELS_AT_WORK = 4
"""Models that one merge and one evaluation hold, besides those that all candidates of a run share."""


def child_bytes(size: int) -> int:
    """Memory of a process that works on one candidate, without what it shares with others. size: a model's bytes."""
    return PROCESS_BYTES + MODELS_AT_WORK * size
