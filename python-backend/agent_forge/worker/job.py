"""The `Job` of the engine over the database and the registry: one attempt at one run."""

from __future__ import annotations

import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import select, update

from ..contract.base import now
from ..contract.cognate import TrainingEvaluation, TrainingStep
from ..contract.errors import Cancelled, Paused
from ..contract.event import LiveProgress, LiveStep
from ..contract.evomerge import Candidate, Fitness, Generation
from ..contract.job import ModelDraft
from ..contract.model import Model, ModelKind
from ..contract.recipe import MergeOrigin
from ..contract.run import LogLine, Progress, ProgressUnit, Run, RunKind, RunStatus, SeriesPoint
from ..registry.bundle.view import TensorView
from ..registry.files import ModelFiles
from ..registry.placement import model_id
from ..registry.store import store
from ..store import model_rows, result_rows, run_rows
from ..store.catalog import Catalog
from ..store.database import Database
from ..store.outbox import Transaction
from ..store.proving import Proving
from ..store.schema import runs
from . import checkpoint, memory
from .errors import Stopped
from .eta import Eta
from .throttle import Latest

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 2.0
"""Between two writes of a run's progress to its row."""
SERIES_POINTS = 1000
"""Points kept of each stage."""


class DatabaseJob:
    """Implements `contract.job.Job`. Durable calls raise `Fenced` once this worker no longer holds the run."""

    def __init__(
        self,
        *,
        database: Database,
        lease: run_rows.Lease,
        run: Run,
        files: ModelFiles,
        checkpoints: Path,
        send_live: Callable[[dict[str, Any]], None],
        stop: threading.Event,
    ) -> None:
        self.run_id = run.id
        self.created_at: datetime = run.created_at
        self._database, self._lease, self._files = database, lease, files
        self._directory, self._scratch = checkpoints / run.id, files.scratch / run.id
        self._kept = files.tasks / run.id
        self._proving = Proving(files, database)
        self._versions = run.versions
        self._stop = stop
        self.control = threading.Event()
        """Set when the run's status may have changed: the next poll looks."""
        self._live = Latest(send_live)
        self._eta = Eta()
        self._progress = run.progress
        self._progress_stored = time.monotonic()
        self._timings: dict[str, float] = {}
        self._points: list[SeriesPoint] = []
        self._saved = 0

    def poll(self) -> None:
        if self._stop.is_set():
            raise Stopped
        if not self.control.is_set():
            return
        self.control.clear()
        with self._database.read() as connection:
            status = run_rows.held(connection, self._lease).status
        if status is RunStatus.pausing:
            raise Paused
        if status is RunStatus.cancelling:
            raise Cancelled

    def log(self, message: str, level: Literal["info", "warning", "error"] = "info") -> None:
        log.log(logging.getLevelNamesMapping()[level.upper()], message, extra={"run_id": self.run_id})
        with self._write() as tx:
            result_rows.add_log(tx, LogLine(run_id=self.run_id, time=now(), level=level, message=message))

    def progress(self, done: int, total: int, unit: ProgressUnit, stage: str) -> None:
        clock = time.monotonic()
        progress = Progress(
            done=done, total=total, unit=unit, stage=stage, eta_seconds=self._eta.update(clock, done, total)
        )
        self._progress = progress
        epoch, time_ = self._database.epoch, now()
        self._live.put(
            "run.progress",
            lambda: LiveProgress(
                type="run.progress", epoch=epoch, run_id=self.run_id, time=time_, payload=progress
            ).model_dump(mode="json"),
        )
        if clock - self._progress_stored >= PROGRESS_SECONDS:
            self._store_progress()

    def step(self, step: TrainingStep) -> None:
        every = max(1, math.ceil(step.total_steps / SERIES_POINTS))
        if step.step % every == 0:
            point = SeriesPoint(
                stage=step.stage, step=step.step, loss=step.loss, tokens_per_second=step.tokens_per_second
            )
            self._points.append(point)
        epoch, time_ = self._database.epoch, now()
        self._live.put(
            "training.step",
            lambda: LiveStep(
                type="training.step", epoch=epoch, run_id=self.run_id, time=time_, payload=step
            ).model_dump(mode="json"),
        )

    def evaluated(self, evaluation: TrainingEvaluation) -> None:
        with self._write() as tx:
            if result_rows.add_evaluation(tx, evaluation):
                run_rows.fruitful(tx, self._lease)

    def candidate(self, candidate: Candidate) -> None:
        with self._write() as tx:
            if not result_rows.add_candidate(tx, candidate):
                return
            run_rows.fruitful(tx, self._lease)
            if candidate.fault is not None or candidate.fitness.partial:
                return
            run = run_rows.held(tx.connection, self._lease)
            if run.champion_fitness is None or candidate.fitness.total > run.champion_fitness:
                best = {
                    "champion_id": candidate.id,
                    "champion_fitness": candidate.fitness.total,
                    "progress": self._progress,
                }
                run_rows.save(tx, run.model_copy(update=best), "run.updated")

    def generation(self, generation: Generation) -> None:
        with self._write() as tx:
            result_rows.add_generation(tx, generation)

    def timing(self, part: str, seconds: float) -> None:
        self._timings[part] = self._timings.get(part, 0.0) + seconds

    def save_checkpoint(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        self._saved += 1
        # The attempt is in the name: a worker declared dead cannot touch its successor's file.
        stem = f"{self._lease.attempt}-{self._saved}"
        checkpoint.save(self._directory, stem, tensors, state)
        with self._write() as tx:
            tx.connection.execute(update(runs).where(runs.c.id == self.run_id).values(checkpoint=stem))
            run_rows.fruitful(tx, self._lease)
            self._flush_into(tx)
        checkpoint.discard_others(self._directory, stem)
        memory.give_back()

    def load_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        with self._database.read() as connection:
            run_rows.held(connection, self._lease)
            stem = connection.execute(select(runs.c.checkpoint).where(runs.c.id == self.run_id)).scalar_one()
        return checkpoint.load(self._directory, stem) if stem is not None else None

    def scratch(self) -> Path:
        self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch

    def kept_files(self) -> Path:
        self._kept.mkdir(parents=True, exist_ok=True)
        return self._kept

    def register(self, draft: ModelDraft, tensors: Mapping[str, Tensor]) -> Model:
        return self._registered(draft) or self._store(draft, tensors)

    def register_file(self, draft: ModelDraft, path: Path) -> Model:
        return self._registered(draft) or self._store(draft, path)

    def load_model(self, model_id: str) -> tuple[Model, dict[str, Tensor]]:
        with self._database.read() as connection:
            model = model_rows.find(connection, model_id)
        if model is None:
            raise LookupError(f"model {model_id} is not registered")
        return model, dict(TensorView(self._proving.weights(model)))

    def model_file(self, model_id: str) -> Path | None:
        with self._database.read() as connection:
            model = model_rows.find(connection, model_id)
        return None if model is None else self._files.tensors(model)

    def candidates(self) -> Sequence[Candidate]:
        with self._database.read() as connection:
            return result_rows.candidates_of(connection, self.run_id)

    def report(self, part: Mapping[str, Any]) -> None:
        with self._write() as tx:
            run_rows.merge_report(tx, self.run_id, dict(part))
            run = run_rows.held(tx.connection, self._lease)
            changes: dict[str, Any] = {}
            if (heldout := part.get("champion_heldout")) is not None:
                # Lists of runs compare champions by this, without reading every report.
                changes["champion_heldout"] = Fitness.model_validate(heldout)
            if (champion := part.get("champion")) is not None:
                # Not always the best of the search: the finalists are compared on fresh problems.
                crowned = Candidate.model_validate(champion)
                changes |= {"champion_id": crowned.id, "champion_fitness": crowned.fitness.total}
            changed = run.model_copy(update=changes)
            if changed != run:
                run_rows.save(tx, changed, "run.updated")

    def flush(self) -> None:
        """Store what is otherwise written only now and then. For the end of the attempt, whatever ended it."""
        with self._write() as tx:
            self._flush_into(tx)

    def close(self) -> None:
        self._live.close()

    def clean(self, *, checkpoints: bool) -> None:
        """Delete unfinished files; the checkpoint too where it is no longer needed."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        if checkpoints:
            shutil.rmtree(self._directory, ignore_errors=True)
            shutil.rmtree(self._kept, ignore_errors=True)

    @contextmanager
    def _write(self) -> Iterator[Transaction]:
        """A write transaction that first makes sure that this worker still holds the run."""
        with self._database.write() as tx:
            run_rows.held(tx.connection, self._lease)
            yield tx

    def _registered(self, draft: ModelDraft) -> Model | None:
        with self._database.read() as connection:
            return model_rows.find(connection, model_id(self.run_id, draft.name))

    def _store(self, draft: ModelDraft, source: Path | Mapping[str, Tensor]) -> Model:
        if isinstance(draft.origin, MergeOrigin):
            with self._database.read() as connection:
                words, _ = Catalog(connection, self._files).mergekit(draft.origin.recipe)
            draft = draft.model_copy(update={"mergekit": words})
        model = store(draft, source, files=self._files, run_id=self.run_id, versions=self._versions, time=now())
        with self._write() as tx:
            if not model_rows.add(tx, model):
                return model
            run_rows.fruitful(tx, self._lease)
            run = run_rows.held(tx.connection, self._lease)
            changes: dict[str, Any] = {"model_ids": [*run.model_ids, model.id], "progress": self._progress}
            if run.kind is RunKind.evomerge and model.kind is ModelKind.merged:
                changes["champion_model_id"] = model.id
            run_rows.save(tx, run.model_copy(update=changes), "run.updated")
        return model

    def _store_progress(self) -> None:
        with self._write() as tx:
            self._flush_into(tx)

    def _flush_into(self, tx: Transaction) -> None:
        self._progress_stored = time.monotonic()
        run = run_rows.held(tx.connection, self._lease)
        if run.progress != self._progress:
            run_rows.save(tx, run.model_copy(update={"progress": self._progress}), "run.updated")
        timings, self._timings = self._timings, {}
        if timings:
            run_rows.add_timing(tx, self.run_id, timings)
        points, self._points = self._points, []
        result_rows.add_series(tx, self.run_id, points)
