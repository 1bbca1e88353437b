"""What evolution asks of a model, and how raw scores become one number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from ...contract.architecture import Architecture
from ...contract.cognate import TaskScore
from ...contract.evomerge import EvoMergeConfig, Fitness, FitnessWeights
from ...contract.model import Model

if TYPE_CHECKING:
    from torch import Tensor

Split = Literal["selection", "heldout"]
Floats = npt.NDArray[np.float64]


class Scores(Protocol):
    """One model's raw scores on one split."""

    @property
    def tasks(self) -> Sequence[TaskScore]:
        """One per dataset, in a fixed order."""

    @property
    def mean_depth(self) -> float:
        """Mean ACT depth over all evaluated tokens, blocks."""

    @property
    def flops_per_token(self) -> float:
        """Floating-point operations that one token needs at that mean depth, output layer included."""


class Answers(Protocol):
    """What one model did on problems of one split, problem by problem: each array has one entry a problem."""

    def __len__(self) -> int: ...

    @property
    def mean_losses(self) -> Floats:
        """Cross-entropy of an answer's tokens, nats."""

    @property
    def solved(self) -> npt.NDArray[np.bool_]: ...

    @property
    def flops_per_token(self) -> Floats:
        """At the depth that the problem took."""

    def joined(self, later: Self) -> Self:
        """With the same model's answers to other problems behind them."""

    def scores(self) -> Scores: ...


class Evaluator(Protocol):
    """Measures models of one shape on problems that are fixed for the run.

    Deterministic: the same tensors give the same answers on the same machine and thread count.
    """

    @property
    def architecture(self) -> Architecture: ...

    @property
    def calibration(self) -> Mapping[str, Any]:
        """JSON that names the calibration batch completely: all that `fisher` and `grams` need beyond the tensors
        (datasets, problems, architecture, …). It is written into recipes, so that a recipe alone determines
        the bytes of what it makes."""

    @property
    def problems(self) -> int:
        """Selection problems of each dataset that a candidate is measured on. The datasets have more."""

    def answers(self, tensors: Mapping[str, Tensor], split: Split, start: int = 0, stop: int | None = None) -> Answers:
        """Answers to the problems from start to stop of each dataset, all finite; stop None: to all fixed ones.
        Leaves `tensors` unchanged. There may be none where the datasets are smaller.

        Raises `NotMeasurable`.
        """

    def gradient(
        self, tensors: Mapping[str, Tensor], seed: int, step: int, problems: int, ponder_cost: float
    ) -> Mapping[str, Tensor]:
        """Gradient of the loss over that many training problems of each dataset, drawn by (seed, step), and of
        `ponder_cost` × the mean ponder cost. Names and shapes as in `tensors`. Raises `NotMeasurable`.
        """

    def fisher(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> dict[str, Tensor]:
        """Diagonal empirical Fisher: the mean squared gradient of each parameter's loss over the calibration batch.

        Float32, names and shapes as in `tensors`. Computed on one thread, in float32, so that the
        thread count does not change the bytes of a merge that uses it.
        """

    def grams(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> dict[str, Tensor]:
        """Σ xᵀx over the inputs x of a matrix on the calibration batch, by the matrix's name: float64 (in, in).

        Computed on one thread, as `fisher`.
        """


class MakeEvaluator(Protocol):
    """Wired in by whoever runs the phase: evolution itself knows no model code."""

    def __call__(self, config: EvoMergeConfig, parents: Sequence[Model]) -> Evaluator: ...


NOT_MEASURED = Fitness(total=0, likelihood=None, accuracy=None, compute=None, memory=None, mean_depth=None, tasks={})
"""Fitness of what could not be merged or measured."""


@dataclass(frozen=True)
class Reference:
    """What `compute` and `memory` are measured against: the parents' means."""

    flops_per_token: float
    bytes: float


def by_problem(answers: Answers, size: int, reference: Reference, weights: FitnessWeights) -> Floats:
    """The fitness of each problem, as if it were the only one. Its mean is close to `fitness`."""
    found: Floats = (
        weights.likelihood * np.exp(-answers.mean_losses)
        + weights.accuracy * answers.solved
        + weights.compute * reference.flops_per_token / answers.flops_per_token
        + weights.memory * reference.bytes / size
    )
    return found


def fitness(scores: Scores, size: int, reference: Reference, weights: FitnessWeights) -> Fitness:
    """The weighted sum of four components, each kept beside it.

    `likelihood` is exp(−mean cross-entropy) and `accuracy` the mean accuracy, every dataset counting
    the same; `compute` and `memory` are the parents' mean over the model's own, so 1 means "as theirs".

    scores: of the model; size: its tensor bytes.
    """
    loss = math.fsum(task.loss for task in scores.tasks) / len(scores.tasks)
    accuracy = math.fsum(task.accuracy for task in scores.tasks) / len(scores.tasks)
    likelihood = math.exp(-loss)
    compute = reference.flops_per_token / scores.flops_per_token
    memory = reference.bytes / size
    return Fitness(
        total=math.fsum(
            (
                weights.likelihood * likelihood,
                weights.accuracy * accuracy,
                weights.compute * compute,
                weights.memory * memory,
            )
        ),
        likelihood=likelihood,
        accuracy=accuracy,
        compute=compute,
        memory=memory,
        mean_depth=scores.mean_depth,
        tasks={
            task.dataset: {"loss": task.loss, "perplexity": task.perplexity, "accuracy": task.accuracy}
            for task in scores.tasks
        },
        problems=sum(task.problems for task in scores.tasks),
    )
