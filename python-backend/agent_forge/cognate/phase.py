"""The Cognate phase: a foundation, then specialists, each evaluated, checkpointed and registered."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from torch import Tensor

from ..contract.architecture import TinyTitan
from ..contract.cognate import CognateConfig
from ..contract.job import Job, ModelDraft
from ..contract.model import Model
from ..contract.recipe import Leaf, TrainingOrigin
from ..execution.executor import Executor
from ..execution.in_process import InProcess
from .bench import TrainingBench
from .creation import create, plain_seconds
from .initialization import draw_all
from .plan import Drafts, Stage, stages
from .presets import architecture, resolve
from .resources import training_bytes
from .scoring import Evaluation
from .specialists import Specialist, shared, worked_on
from .stage import Checkpointed, Evaluated, Item, Saved, Stepped, Told, Trained, trained

Checkpoint = tuple[dict[str, Tensor], dict[str, Any]]


def run(
    config: CognateConfig, job: Job, *, dataset_roots: Sequence[Path] = (), executor: Executor | None = None
) -> None:
    """Run or resume.

    executor: where specialists are trained, at once where it can; None: in this process. Raises InvalidSetting where a
    dataset, tokenizer or device cannot be used, and TrainingDiverged where a loss, a gradient or a held-out score is
    not finite any more.
    """
    config = resolve(config)
    arch = architecture(config)
    drafts = Drafts(job.run_id, job.created_at, config, arch)
    plan = stages(config)
    if not any(stage.steps for stage in plan):
        _create(plan, drafts, job)
    else:
        _Training(config, arch, job, drafts, plan, dataset_roots, executor or InProcess()).run()


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


class _Training:
    """A run with gradient steps, resumable at every checkpoint."""

    def __init__(
        self,
        config: CognateConfig,
        arch: TinyTitan,
        job: Job,
        drafts: Drafts,
        plan: list[Stage],
        roots: Sequence[Path],
        executor: Executor,
    ) -> None:
        self._config, self._arch, self._job, self._drafts, self._plan = config, arch, job, drafts, plan
        self._executor = executor
        self._bench = TrainingBench(config, arch, roots)
        self._evaluator = self._bench.evaluator()
        self._total = sum(stage.steps for stage in plan)
        self._foundation: Model | None = None

    def run(self) -> None:
        saved = self._job.load_checkpoint()
        start = 0
        if saved is not None:
            start = int(saved[1]["stage_index"])
            if saved[1]["foundation_id"] is not None:
                self._found(self._job.load_model(saved[1]["foundation_id"])[0])
        for index in range(start, len(self._plan)):
            own = saved if index == start and saved is not None and saved[1]["trainer"] is not None else None
            if self._plan[index].specialization is not None and self._at_once(len(self._plan) - index):
                self._together(index, own)
                return
            model = self._stage(index, own)
            if self._plan[index].specialization is None:
                self._found(model)

    def _found(self, model: Model) -> None:
        self._foundation = model
        self._bench.foundation = self._job.load_model(model.id)[1]

    def _at_once(self, left: int) -> bool:
        if left < 2 or self._executor.places < 2:
            return False
        if not self._executor.files_shared:
            self._job.log(
                "specialists train one after the other: a node does not see the models directory, where they keep "
                "their checkpoints; mount it there under the same path",
                "warning",
            )
        return self._executor.files_shared

    def _stage(self, index: int, saved: Saved | None) -> Model:
        """In this process."""
        stage, end = self._plan[index], None
        done = sum(earlier.steps for earlier in self._plan[:index])
        trainer = self._bench.trainer(stage, self._bench.initial(stage))
        for item in trained(self._job.run_id, stage, self._config, trainer, self._evaluator, saved, self._job.poll):
            match item:
                case Checkpointed(tensors, state):
                    self._checkpoint(index, tensors, state)
                case Trained():
                    end = item
                case _:
                    self._take(item)
                    if isinstance(item, Stepped):
                        self._job.progress(done + item.step.step, self._total, "steps", stage.name)
        assert end is not None  # noqa: S101 - what a stage ends with
        start = time.perf_counter()
        model = self._job.register(self._draft(stage, end.scores), end.tensors)
        if index + 1 < len(self._plan):
            # it starts the next stage, so that this one is never run again
            foundation = model if stage.specialization is None else self._foundation
            self._job.save_checkpoint({}, _begun(index + 1, foundation))
        self._job.timing("io", time.perf_counter() - start)
        self._tell(stage, model, end.scores)
        return model

    def _together(self, first: int, saved: Saved | None) -> None:
        """All that are left, wherever the executor puts them; registered in the order of the plan."""
        directory = self._job.kept_files()
        children = [Specialist(self._job.run_id, stage, directory / stage.name) for stage in self._plan[first:]]
        if saved is not None and children[0].kept() is None and children[0].finished() is None:
            children[0].keep(saved)
        done = {child.name: child.stage.steps if child.finished() else 0 for child in children}
        before = sum(stage.steps for stage in self._plan[:first])
        digest, file = None, None
        if self._foundation is not None:
            digest, file = self._foundation.digest, self._job.model_file(self._foundation.id)
        everything = shared(self._bench, digest, file, training_bytes(self._config, self._arch))
        arrivals = self._executor.arrivals(worked_on, everything, children, self._job.poll)
        with closing(arrivals):
            for index, item in arrivals:
                self._take(item)
                if isinstance(item, Stepped):
                    done[children[index].name] = item.step.step
                    stage = f"{len(children)} specialists"
                    self._job.progress(before + sum(done.values()), self._total, "steps", stage)
        for child in children:
            scores = child.finished()
            assert scores is not None  # noqa: S101 - its task has ended
            start = time.perf_counter()
            model = self._job.register_file(self._draft(child.stage, scores), child.model)
            self._job.timing("io", time.perf_counter() - start)
            self._tell(child.stage, model, scores)

    def _take(self, item: Item) -> None:
        match item:
            case Told(message):
                self._job.log(message)
            case Stepped(step, seconds):
                self._job.timing("train", seconds)
                self._job.step(step)
            case Evaluated(evaluation, seconds):
                self._job.timing("evaluate", seconds)
                self._job.evaluated(evaluation)

    def _checkpoint(self, index: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        start = time.perf_counter()
        self._job.save_checkpoint(tensors, {**_begun(index, self._foundation), **state})
        self._job.timing("io", time.perf_counter() - start)

    def _draft(self, stage: Stage, scores: Evaluation) -> ModelDraft:
        initial = None
        if self._foundation is not None:
            initial = Leaf(model_id=self._foundation.id, digest=self._foundation.digest)
        return self._drafts.draft(stage, initial, metrics(scores))

    def _tell(self, stage: Stage, model: Model, scores: Evaluation) -> None:
        accuracies = ", ".join(f"{task.dataset} {task.accuracy:.2f}" for task in scores.tasks)
        self._job.log(f"{stage.name}: registered {model.name}; held-out accuracy {accuracies}")


def _begun(index: int, foundation: Model | None) -> dict[str, Any]:
    """State of a checkpoint at the start of a stage."""
    foundation_id = None if foundation is None else foundation.id
    return {"stage_index": index, "foundation_id": foundation_id, "trainer": None, "clock": None}


def metrics(scores: Evaluation) -> dict[str, float]:
    """As the registry keeps them: `accuracy/<dataset>`, `loss/<dataset>`, `mean_depth`."""
    found = {"mean_depth": scores.mean_depth}
    for task in scores.tasks:
        found |= {f"accuracy/{task.dataset}": task.accuracy, f"loss/{task.dataset}": task.loss}
    return found
