"""One stage of a run, step by step: what happens in it comes as items, whoever trains it and wherever."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from ..contract.cognate import CognateConfig, TrainingEvaluation, TrainingStep
from ..contract.errors import NotMeasurable
from .evaluation import Evaluator
from .plan import Stage
from .presets import filled
from .scoring import Evaluation
from .training import Trainer


@dataclass
class Clock:
    """Training time of a stage without interruptions, and what was measured since the last evaluation."""

    elapsed: float = 0.0
    loss_sum: float = 0.0
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def step(self, loss: float, tokens: int, seconds: float) -> None:
        self.elapsed += seconds
        self.loss_sum += loss
        self.steps += 1
        self.tokens += tokens
        self.seconds += seconds

    def clear(self) -> None:
        self.loss_sum, self.steps, self.tokens, self.seconds = 0.0, 0, 0, 0.0


@dataclass(frozen=True)
class Told:
    message: str


@dataclass(frozen=True)
class Stepped:
    step: TrainingStep
    seconds: float


@dataclass(frozen=True)
class Evaluated:
    evaluation: TrainingEvaluation
    seconds: float


@dataclass(frozen=True)
class Checkpointed:
    """All that the stage goes on from."""

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]


@dataclass(frozen=True)
class Trained:
    """The end."""

    tensors: Mapping[str, Tensor]
    scores: Evaluation


Item = Told | Stepped | Evaluated | Checkpointed | Trained
Saved = tuple[Mapping[str, Tensor], Mapping[str, Any]]
"""Of a `Checkpointed`."""


def trained(
    run_id: str,
    stage: Stage,
    config: CognateConfig,
    trainer: Trainer,
    evaluator: Evaluator,
    saved: Saved | None,
    poll: Callable[[], None],
) -> Generator[Item]:
    """From the start, or from where a checkpoint was taken. poll: called before each step.

    Raises TrainingDiverged.
    """
    clock = Clock()
    if saved is not None:
        trainer.import_state(saved[0], saved[1]["trainer"])
        clock = Clock(**saved[1]["clock"])
        yield Told(f"{stage.name}: resumed at step {trainer.steps} of {stage.steps}")
    else:
        yield Told(f"{stage.name}: {stage.steps} steps with seed {stage.seed}")
    found: Evaluation | None = None
    if trainer.steps == 0:
        found, item = _evaluated(run_id, trainer, evaluator, clock)
        yield item
    while trainer.steps < stage.steps:
        poll()
        yield _stepped(run_id, trainer, clock)
        last = trainer.steps == stage.steps
        if last or trainer.steps % filled(config.eval_interval) == 0:
            found, item = _evaluated(run_id, trainer, evaluator, clock)
            yield item
        if not last and trainer.steps % config.checkpoint_interval == 0:
            tensors, state = trainer.export_state()
            yield Checkpointed(tensors, {"trainer": state, "clock": asdict(clock)})
    if found is None:
        found, item = _evaluated(run_id, trainer, evaluator, clock)
        yield item
    yield Trained({name: tensor.cpu() for name, tensor in trainer.tensors().items()}, found)


def _stepped(run_id: str, trainer: Trainer, clock: Clock) -> Stepped:
    start = time.perf_counter()
    result = trainer.step()
    seconds = time.perf_counter() - start
    clock.step(result.loss, result.tokens, seconds)
    step = TrainingStep(
        run_id=run_id,
        stage=trainer.stage,
        step=trainer.steps,
        total_steps=trainer.total_steps,
        loss=result.loss,
        ponder=result.ponder,
        learning_rate=result.learning_rate,
        gradient_norm=result.gradient_norm,
        tokens_per_second=result.tokens / seconds,
    )
    return Stepped(step, seconds)


def _evaluated(run_id: str, trainer: Trainer, evaluator: Evaluator, clock: Clock) -> tuple[Evaluation, Evaluated]:
    start = time.perf_counter()
    try:
        found = evaluator.evaluate(trainer.tensors(), "heldout")
    except NotMeasurable as error:
        raise trainer.diverged(trainer.steps, str(error)) from error
    seconds = time.perf_counter() - start
    evaluation = TrainingEvaluation(
        run_id=run_id,
        stage=trainer.stage,
        step=trainer.steps,
        total_steps=trainer.total_steps,
        train_loss=clock.loss_sum / clock.steps if clock.steps else None,
        tasks=found.tasks,
        mean_depth=found.mean_depth,
        tokens_per_second=clock.tokens / clock.seconds if clock.seconds else None,
        elapsed_seconds=clock.elapsed,
    )
    clock.clear()
    return found, Evaluated(evaluation, seconds)
