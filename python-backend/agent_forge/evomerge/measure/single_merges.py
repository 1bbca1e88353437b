"""The usual single merges of a run's parents, which evolution has to beat. Free of torch."""

from __future__ import annotations

SINGLE_MERGES = ("uniform_average", "task_arithmetic", "ties", "swudi")
"""Names of baselines."""
SCALES = {"task_arithmetic": (0.3, 0.5, 0.7, 1.0, 1.4), "ties": (0.5, 1.0, 1.5, 2.0)}
"""λ that are tried on the selection problems; the best one counts."""
