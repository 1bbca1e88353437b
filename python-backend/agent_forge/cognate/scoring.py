"""What a model did on each of some problems, and the scores that follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..contract.architecture import TinyTitan
from ..contract.cognate import TaskScore
from .flops import flops_per_token

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    tasks: list[TaskScore]
    """One per dataset, in the configuration's order."""
    mean_depth: float
    """Blocks, over all tokens of all datasets."""
    flops_per_token: float
    """At that depth, one row of the output projection included."""
    tokens: int
    """Read, over all datasets."""


@dataclass(frozen=True)
class Answers:
    """Problem by problem, in the order that they were posed: every array has one entry a problem."""

    datasets: tuple[str, ...]
    architecture: TinyTitan
    """At the depth of the model that answered."""
    dataset: Counts
    """Index of the problem's dataset."""
    losses: Floats
    """Cross-entropy summed over the answer's tokens, nats."""
    labels: Counts
    """Tokens of the answer."""
    solved: npt.NDArray[np.bool_]
    depths: Counts
    """Blocks summed over the problem's tokens."""
    tokens: Counts
    """Read, padding left out."""

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def mean_losses(self) -> Floats:
        """Of an answer's tokens, nats."""
        found: Floats = self.losses / self.labels
        return found

    @property
    def flops_per_token(self) -> Floats:
        """At the depth that the problem took."""
        base = flops_per_token(self.architecture, 0.0)
        block = flops_per_token(self.architecture, 1.0) - base
        found: Floats = base + block * self.depths / self.tokens
        return found

    def joined(self, later: Answers) -> Answers:
        """Of the same model, to these problems and then to others."""
        return Answers(
            self.datasets,
            self.architecture,
            np.concatenate([self.dataset, later.dataset]),
            np.concatenate([self.losses, later.losses]),
            np.concatenate([self.labels, later.labels]),
            np.concatenate([self.solved, later.solved]),
            np.concatenate([self.depths, later.depths]),
            np.concatenate([self.tokens, later.tokens]),
        )

    def scores(self) -> Evaluation:
        depth = int(self.depths.sum()) / int(self.tokens.sum())
        return Evaluation(
            tasks=[self._task(index, name) for index, name in enumerate(self.datasets)],
            mean_depth=depth,
            flops_per_token=flops_per_token(self.architecture, depth),
            tokens=int(self.tokens.sum()),
        )

    def _task(self, index: int, name: str) -> TaskScore:
        own = self.dataset == index
        depth = int(self.depths[own].sum()) / int(self.tokens[own].sum())
        return task_score(name, self.losses[own], self.labels[own], self.solved[own], depth)


def task_score(
    name: str, losses: Floats, labels: Counts, solved: npt.NDArray[np.bool_], mean_depth: float
) -> TaskScore:
    """Of one dataset's problems. losses: summed over each answer's labels, nats."""
    loss = math.fsum(losses) / int(labels.sum())
    return TaskScore(
        dataset=name,
        problems=len(losses),
        loss=loss,
        # A merge can be so far off that exp overflows; a perplexity beyond e⁷⁰⁰ is given as e⁷⁰⁰.
        perplexity=math.exp(min(loss, 700.0)),
        accuracy=int(solved.sum()) / len(losses),
        mean_depth=mean_depth,
    )


def counted(indices: npt.ArrayLike, weights: npt.ArrayLike | None, problems: int) -> Floats:
    """Sums by problem. weights None: how often each occurs."""
    return np.bincount(np.asarray(indices), None if weights is None else np.asarray(weights), problems).astype(
        np.float64
    )


def spans(parts: Sequence[Sequence[object]]) -> Counts:
    """Index of the part that each item is of, all parts in a row."""
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts])
