"""What has no scores, and why: numbers that are not finite never stand in a score."""

from __future__ import annotations

from typing import Literal

from .base import Resource

FaultKind = Literal[
    "merge_not_finite", "merge_refused", "output_not_finite", "loss_not_finite", "measurement_failed", "task_lost"
]
"""`merge_not_finite`: the weights overflowed; `merge_refused`: the op can't merge these inputs; `output_not_finite`:
the weights are finite, and what the model computes with them is not; `loss_not_finite`: its outputs are finite, and
their cross-entropy is not; `measurement_failed`: the evaluation itself broke off;
`task_lost`: on a cluster what worked on it ended three times."""


class Fault(Resource):
    """Why something has no scores."""

    kind: FaultKind
    message: str
    """What happened where, in words: it names the tensor or the dataset."""
