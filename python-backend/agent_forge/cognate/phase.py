"""The Cognate phase: a foundation, then specialists, each evaluated, checkpointed and registered."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..contract.architecture import TinyTitan
from ..contract.cognate import CognateConfig, Specialization, TrainingEvaluation, TrainingStep
from ..contract.errors import NotMeasurable
from ..contract.job import Job
from ..contract.model import Model
from ..contract.recipe import Leaf, TrainingOrigin
from .creation import create, plain_seconds
from .datasets.registry import load_datasets
from .evaluation import Evaluator, ProblemSet
from .initialization import draw_all
from .mixture import Mixture, foreign, mean_lengths, problem_shares, shares
from .plan import Drafts, Stage, stages
from .presets import DEFAULTS, architecture, filled, resolve
from .scoring import Evaluation
from .tokenizer import load_tokenizer
from .training import FROM_SCRATCH, SPECIALISING, Trainer


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


def run(config: CognateConfig, job: Job, *, dataset_roots: Sequence[Path] = ()) -> None:
    """Run or resume. Raises InvalidSetting where a dataset, tokenizer or device cannot be used, and TrainingDiverged
    where a loss, a gradient or a held-out score is not finite any more."""
    config = resolve(config)
    arch = architecture(config)
    drafts = Drafts(job.run_id, job.created_at, config, arch)
    plan = stages(config)
    if not any(stage.steps for stage in plan):
        _create(plan, drafts, job)
    else:
        _Training(config, arch, job, drafts, plan, dataset_roots).run()


def replay(
    origin: TrainingOrigin, initial: Mapping[str, Tensor] | None, *, dataset_roots: Sequence[Path] = ()
) -> dict[str, Tensor]:
    """Train a model again, exactly as its origin says. `initial`: the tensors of `origin.initial`, where there is one.

    The same bytes on the same machine with the same number of threads.
    """
    config = CognateConfig.model_validate(origin.config)
    stage = next(stage for stage in stages(config) if stage.name == origin.stage)
    tensors = dict(initial) if initial is not None else draw_all(origin.architecture, stage.seed)
    trainer = TrainingBench(config, origin.architecture, dataset_roots).trainer(stage, tensors)
    while trainer.steps < stage.steps:
        trainer.step()
    return trainer.tensors()


def device_of(config: CognateConfig) -> torch.device:
    if config.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(config.device)


def _create(plan: list[Stage], drafts: Drafts, job: Job) -> None:
    start = time.perf_counter()
    models = create(plan, drafts, job)
    seconds = time.perf_counter() - start
    job.timing("create", seconds)
    plain = None
    if drafts.config.creation_baseline:
        plain = plain_seconds(plan, drafts.architecture, job.scratch())
    job.report({"creation": {"seconds": seconds, "plain_seconds": plain}})
    beside = "" if plain is None else f"; the plain way took {plain:.2f} s"
    job.log(f"created {len(models)} models of {models[0].parameters:,} parameters in {seconds:.2f} s{beside}")


class TrainingBench:
    """What all stages of a run share, loaded once."""

    def __init__(self, config: CognateConfig, arch: TinyTitan, roots: Sequence[Path]) -> None:
        self.config = config
        self.arch = arch
        self.device = device_of(config)
        self._tokenizer = load_tokenizer(config.tokenizer, arch.vocab_size, roots)
        self._datasets = load_datasets(config.datasets, config.difficulty, arch.window, roots)
        self._max_length = DEFAULTS[config.preset].max_length
        self._lengths = mean_lengths(self._datasets, self._tokenizer, self._max_length)

    def trainer(self, stage: Stage, tensors: Mapping[str, Tensor]) -> Trainer:
        """`tensors`: of the foundation, for what specialises from one."""
        config = self.config
        specialises = stage.specialization is not None and bool(config.foundation_steps)
        rehearses = specialises and config.rehearsal == "distillation"
        return Trainer(
            self.arch,
            tensors,
            config,
            self.mixture(stage.specialization, rehearses=rehearses),
            stage=stage.name,
            seed=stage.seed,
            total_steps=stage.steps,
            device=self.device,
            ponder_cost=stage.ponder_cost,
            regime=SPECIALISING if specialises else FROM_SCRATCH,
            teacher=tensors if rehearses else None,
        )

    def mixture(self, family: Specialization | None, *, rehearses: bool) -> Mixture:
        config = self.config
        wanted = shares(self._datasets, [choice.weight for choice in config.datasets], family, config.own_share)
        return Mixture(
            self._datasets,
            problem_shares(wanted, self._lengths),
            self._tokenizer,
            filled(config.batch_tokens),
            self._max_length,
            foreign(self._datasets, family) if rehearses else (),
        )


class _Training:
    """A run with gradient steps: the stages one after the other, resumable at every checkpoint."""

    def __init__(
        self,
        config: CognateConfig,
        arch: TinyTitan,
        job: Job,
        drafts: Drafts,
        plan: list[Stage],
        roots: Sequence[Path],
    ) -> None:
        self._config = config
        self._arch = arch
        self._job = job
        self._drafts = drafts
        self._plan = plan
        self._bench = TrainingBench(config, arch, roots)
        chosen = ProblemSet(
            tuple(c.name for c in config.datasets), config.difficulty, config.eval_problems, config.tokenizer
        )
        self._evaluator = Evaluator(
            arch, chosen, chosen, roots=roots, device=self._bench.device, precision=config.precision
        )
        self._total = sum(stage.steps for stage in plan)
        self._foundation: Model | None = None

    def run(self) -> None:
        saved = self._job.load_checkpoint()
        start = 0
        if saved is not None:
            start = int(saved[1]["stage_index"])
            if saved[1]["foundation_id"] is not None:
                self._foundation = self._job.load_model(saved[1]["foundation_id"])[0]
        for index in range(start, len(self._plan)):
            model = self._stage(index, saved if index == start else None)
            if self._plan[index].specialization is None:
                self._foundation = model

    def _stage(self, index: int, saved: tuple[dict[str, Tensor], dict[str, Any]] | None) -> Model:
        stage = self._plan[index]
        trainer = self._bench.trainer(stage, self._initial(stage))
        clock = Clock()
        if saved is not None and saved[1]["trainer"] is not None:
            tensors, state = saved
            trainer.import_state(tensors, state["trainer"])
            clock = Clock(**state["clock"])
            self._job.log(f"{stage.name}: resumed at step {trainer.steps} of {stage.steps}")
        else:
            self._job.log(f"{stage.name}: {stage.steps} steps with seed {stage.seed}")
        scores = self._evaluate(stage, trainer, clock) if trainer.steps == 0 else None
        eval_interval, checkpoint_interval = filled(self._config.eval_interval), self._config.checkpoint_interval
        while trainer.steps < stage.steps:
            self._job.poll()
            self._step(index, trainer, clock)
            last = trainer.steps == stage.steps
            if last or trainer.steps % eval_interval == 0:
                scores = self._evaluate(stage, trainer, clock)
            if not last and trainer.steps % checkpoint_interval == 0:
                self._checkpoint(index, trainer, clock)
        return self._register(index, stage, trainer, scores or self._evaluate(stage, trainer, clock))

    def _initial(self, stage: Stage) -> dict[str, Tensor]:
        if self._foundation is None:
            return draw_all(self._arch, stage.seed)
        return self._job.load_model(self._foundation.id)[1]

    def _step(self, index: int, trainer: Trainer, clock: Clock) -> None:
        start = time.perf_counter()
        result = trainer.step()
        seconds = time.perf_counter() - start
        clock.step(result.loss, result.tokens, seconds)
        self._job.timing("train", seconds)
        stage = self._plan[index]
        self._job.step(
            TrainingStep(
                run_id=self._job.run_id,
                stage=stage.name,
                step=trainer.steps,
                total_steps=stage.steps,
                loss=result.loss,
                ponder=result.ponder,
                learning_rate=result.learning_rate,
                gradient_norm=result.gradient_norm,
                tokens_per_second=result.tokens / seconds,
            )
        )
        done = sum(earlier.steps for earlier in self._plan[:index]) + trainer.steps
        self._job.progress(done, self._total, "steps", stage.name)

    def _evaluate(self, stage: Stage, trainer: Trainer, clock: Clock) -> Evaluation:
        start = time.perf_counter()
        try:
            found = self._evaluator.evaluate(trainer.tensors(), "heldout")
        except NotMeasurable as error:
            raise trainer.diverged(trainer.steps, str(error)) from error
        self._job.timing("evaluate", time.perf_counter() - start)
        self._job.evaluated(
            TrainingEvaluation(
                run_id=self._job.run_id,
                stage=stage.name,
                step=trainer.steps,
                total_steps=stage.steps,
                train_loss=clock.loss_sum / clock.steps if clock.steps else None,
                tasks=found.tasks,
                mean_depth=found.mean_depth,
                tokens_per_second=clock.tokens / clock.seconds if clock.seconds else None,
                elapsed_seconds=clock.elapsed,
            )
        )
        clock.clear()
        return found

    def _checkpoint(self, index: int, trainer: Trainer, clock: Clock) -> None:
        start = time.perf_counter()
        tensors, state = trainer.export_state()
        self._job.save_checkpoint(
            tensors,
            {
                "stage_index": index,
                "foundation_id": None if self._foundation is None else self._foundation.id,
                "trainer": state,
                "clock": asdict(clock),
            },
        )
        self._job.timing("io", time.perf_counter() - start)

    def _register(self, index: int, stage: Stage, trainer: Trainer, scores: Evaluation) -> Model:
        """The finished model, and a checkpoint that starts the next stage, so that this one is never run again."""
        start = time.perf_counter()
        initial = None
        if self._foundation is not None:
            initial = Leaf(model_id=self._foundation.id, digest=self._foundation.digest)
        cpu = {name: tensor.cpu() for name, tensor in trainer.tensors().items()}
        model = self._job.register(self._drafts.draft(stage, initial, metrics(scores)), cpu)
        if index + 1 < len(self._plan):
            foundation = model if stage.specialization is None else self._foundation
            self._job.save_checkpoint(
                {},
                {
                    "stage_index": index + 1,
                    "foundation_id": None if foundation is None else foundation.id,
                    "trainer": None,
                    "clock": None,
                },
            )
        self._job.timing("io", time.perf_counter() - start)
        accuracies = ", ".join(f"{task.dataset} {task.accuracy:.2f}" for task in scores.tasks)
        self._job.log(f"{stage.name}: registered {model.name}; held-out accuracy {accuracies}")
        return model


def metrics(scores: Evaluation) -> dict[str, float]:
    """As the registry keeps them: `accuracy/<dataset>`, `loss/<dataset>`, `mean_depth`."""
    found = {"mean_depth": scores.mean_depth}
    for task in scores.tasks:
        found |= {f"accuracy/{task.dataset}": task.accuracy, f"loss/{task.dataset}": task.loss}
    return found
