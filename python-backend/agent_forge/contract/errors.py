"""What ends work in the engine: an order of the run machinery, and a model that has no scores."""

from __future__ import annotations

from .fault import Fault


class Paused(Exception):  # noqa: N818 - control flow, not an error
    """Raised by `Job.poll`: stop at once, keep the last checkpoint, resume later."""


class Cancelled(Exception):  # noqa: N818 - control flow, not an error
    """Raised by `Job.poll`: stop at once; what exists stays usable."""


class NotMeasurable(Exception):  # noqa: N818 - names what the model is
    """Raised by an evaluator: what a model computes is not finite, so that it has no scores."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault
