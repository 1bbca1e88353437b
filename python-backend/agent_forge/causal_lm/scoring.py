"""What a causal language model did on each of some problems, and the scores that follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..cognate.scoring import Counts, Floats, task_score
from ..contract.cognate import TaskScore


@dataclass(frozen=True)
class Evaluation:
    tasks: list[TaskScore]
    """One per dataset, in the configuration's order."""
    mean_depth: float
    """Layers: every token passes all."""
    flops_per_token: float


@dataclass(frozen=True)
class Size:
    """What every token costs."""

    layers: int
    flops: float
    """Of a token: two for each parameter that it is multiplied with."""


@dataclass(frozen=True)
class Answers:
    """Problem by problem, in the order that they were posed: every array has one entry a problem."""

    datasets: tuple[str, ...]
    size: Size
    dataset: Counts
    """Index of the problem's dataset."""
    losses: Floats
    """Nats: of an answer or a passage the cross-entropy summed over its tokens, of a choice that of the right one."""
    labels: Counts
    """What the loss is summed over: tokens, or the one choice."""
    solved: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def mean_losses(self) -> Floats:
        found: Floats = self.losses / self.labels
        return found

    @property
    def flops_per_token(self) -> Floats:
        return np.full(len(self), self.size.flops)

    def joined(self, later: Answers) -> Answers:
        """Of the same model, to these problems and then to others."""
        return Answers(
            self.datasets,
            self.size,
            np.concatenate([self.dataset, later.dataset]),
            np.concatenate([self.losses, later.losses]),
            np.concatenate([self.labels, later.labels]),
            np.concatenate([self.solved, later.solved]),
        )

    def scores(self) -> Evaluation:
        tasks = [self._task(index, name) for index, name in enumerate(self.datasets)]
        return Evaluation(tasks, float(self.size.layers), self.size.flops)

    def _task(self, index: int, name: str) -> TaskScore:
        own = self.dataset == index
        return task_score(name, self.losses[own], self.labels[own], self.solved[own], float(self.size.layers))
