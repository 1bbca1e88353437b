"""Runs for the API: create, command, read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import psutil
from sqlalchemy import Connection, func, select
from ulid import ULID

from .. import __version__
from ..cognate.presets import total_steps
from ..contract.architecture import ARCHITECTURES
from ..contract.base import now
from ..contract.cognate import CognateConfig, CognateForecast, TaskScore
from ..contract.evomerge import EvoMergeConfig, EvoMergeForecast, EvoMergeSettings
from ..contract.model import Model
from ..contract.pages import RunPage
from ..contract.recipe import TrainingOrigin
from ..contract.report import CognateReport, CreationTiming, EvoMergeReport, MergeReport, NodeTime, Timings
from ..contract.run import (
    Pipeline,
    PipelineConfig,
    PipelineForecast,
    Progress,
    Run,
    RunKind,
    RunStatus,
    SeriesPoint,
)
from ..contract.system import BackendReadiness, System
from ..evomerge.measure.report import report_of
from ..evomerge.recipe.foundation import common_foundation
from ..registry.files import ModelFiles
from ..settings import Settings
from ..store import cursors, model_rows, outbox, result_rows, run_rows
from ..store.catalog import Catalog
from ..store.database import Database
from ..store.errors import IllegalTransition, Refusal
from ..store.proving import Proving
from ..store.schema import runs
from ..store.states import Action
from ..versions import versions
from ..worker.defaults import settled
from . import admission, forecast
from .merge_report import merge_report
from .new_run import found, new_run
from .orders import Orders
from .readiness import readiness
from .workers import Workers


class RunService:
    """Implements `api.services.RunService`. Called from threads; every method is one transaction."""

    def __init__(
        self, settings: Settings, database: Database, files: ModelFiles, proving: Proving, workers: Workers
    ) -> None:
        self._settings, self._database, self._files = settings, database, files
        self._proving, self._workers = proving, workers
        self._orders = Orders(database)
        self._started_at = now()

    def create_cognate(self, config: CognateConfig, *, key: str | None, trace_id: str | None) -> Run:
        resolved = admission.admit_cognate(config, self._settings.dataset_roots, self._devices())
        with self._orders.creating("cognate", config, key) as (tx, known):
            if known is not None:
                return found(tx.connection, known)
            plan = forecast.cognate(self._settings, tx.connection, resolved, forecast.calibration_of(self._database))
            admission.admit_resources(plan.resources)
            run = _cognate_run(resolved, trace_id)
            run_rows.create(tx, run)
            self._orders.remember(tx, "cognate", config, key, run.id)
        self._workers.wake()
        return run

    def create_evomerge(self, config: EvoMergeConfig, *, key: str | None, trace_id: str | None) -> Run:
        admission.admit_settings(config, len(config.parents), self._settings.dataset_roots, self._devices())
        if key is None or not self._orders.used(key):
            self._prove_parents(config)
        with self._orders.creating("evomerge", config, key) as (tx, known):
            if known is not None:
                return found(tx.connection, known)
            resolved, plan = self._plan_evomerge(tx.connection, config)
            admission.admit_resources(plan.resources)
            run = _evomerge_run(_settings_of(resolved), resolved, trace_id)
            run_rows.create(tx, run)
            self._orders.remember(tx, "evomerge", config, key, run.id)
        self._workers.wake()
        return run

    def create_pipeline(self, config: PipelineConfig, *, key: str | None, trace_id: str | None) -> Pipeline:
        resolved = self._admit_pipeline(config)
        with self._orders.creating("pipeline", config, key) as (tx, known):
            if known is not None:
                return _pipeline(tx.connection, known)
            plan = forecast.pipeline(self._settings, tx.connection, resolved, forecast.calibration_of(self._database))
            for stage in (plan.cognate, plan.evomerge):
                if stage is not None:
                    admission.admit_resources(stage.resources)
            pipeline_id = str(ULID())
            parents = _cognate_run(resolved.cognate, trace_id, pipeline_id)
            run_rows.create(tx, parents)
            bred = None
            if resolved.evomerge is not None:
                bred = _evomerge_run(resolved.evomerge, None, trace_id, pipeline_id, parents.id)
                run_rows.create(tx, bred)
            self._orders.remember(tx, "pipeline", config, key, pipeline_id)
        self._workers.wake()
        return Pipeline(id=pipeline_id, cognate=parents, evomerge=bred, created_at=parents.created_at)

    def forecast_cognate(self, config: CognateConfig) -> CognateForecast:
        resolved = admission.admit_cognate(config, self._settings.dataset_roots, self._devices())
        with self._database.read() as connection:
            return forecast.cognate(self._settings, connection, resolved, forecast.calibration_of(self._database))

    def forecast_evomerge(self, config: EvoMergeConfig) -> EvoMergeForecast:
        admission.admit_settings(config, len(config.parents), self._settings.dataset_roots, self._devices())
        self._prove_parents(config)
        with self._database.read() as connection:
            return self._plan_evomerge(connection, config)[1]

    def forecast_pipeline(self, config: PipelineConfig) -> PipelineForecast:
        resolved = self._admit_pipeline(config)
        with self._database.read() as connection:
            return forecast.pipeline(self._settings, connection, resolved, forecast.calibration_of(self._database))

    def page(self, *, kind: RunKind | None, status: RunStatus | None, cursor: str | None, limit: int) -> RunPage:
        query = select(runs.c.body, runs.c.id).order_by(runs.c.id.desc()).limit(limit + 1)
        if kind is not None:
            query = query.where(runs.c.kind == kind)
        if status is not None:
            query = query.where(runs.c.status == status)
        if cursor is not None:
            query = query.where(runs.c.id < cursors.decode(cursor, str)[0])
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        more = cursors.encode(rows[limit - 1].id) if len(rows) > limit else None
        return RunPage(items=[run_rows.parse(row.body) for row in rows[:limit]], next_cursor=more)

    def command(self, run_id: str, command: Literal["pause", "resume", "cancel", "retry"]) -> Run:
        with self._database.write() as tx:
            run = found(tx.connection, run_id)
            if command == "retry" and run.depends_on is not None:
                waited = found(tx.connection, run.depends_on)
                if waited.status in (RunStatus.failed, RunStatus.cancelled):
                    raise Refusal("conflict", f"it waits for run {waited.id}, which is {waited.status}: retry that run")
            try:
                run = run_rows.transition(tx, run, Action(command))
            except IllegalTransition as error:
                raise Refusal("conflict", str(error)) from error
        self._workers.wake()
        return run

    def report(self, run_id: str) -> CognateReport | EvoMergeReport | MergeReport:
        with self._database.read() as connection:
            run = found(connection, run_id)
            part = run_rows.read_json(connection, run_id, "report")
            timings = _timings(run.busy_seconds, run_rows.read_json(connection, run_id, "timings"))
            if run.kind is RunKind.cognate:
                return _cognate_report(connection, run, part, timings)
            if run.merge is not None:
                return merge_report(Catalog(connection, self._files), run, run.merge, part, timings)
            champion = result_rows.find_candidate(connection, run.champion_id) if run.champion_id is not None else None
            return report_of(
                run.id,
                part,
                candidates=result_rows.scores_of(connection, run.id),
                generations=result_rows.generations_of(connection, run.id),
                champion=champion,
                champion_model_id=run.champion_model_id,
                cancelled=run.status is RunStatus.cancelled,
                timings=timings,
            )

    def series(self, run_id: str) -> list[SeriesPoint]:
        with self._database.read() as connection:
            found(connection, run_id)
            return result_rows.series_of(connection, run_id)

    def readiness(self) -> BackendReadiness:
        with self._database.read() as connection:
            return self._readiness(connection)

    def _readiness(self, connection: Connection) -> BackendReadiness:
        return readiness(
            connection,
            alive=self._workers.alive(),
            wanted=self._settings.workers,
            nodes=self._workers.nodes(),
            faults=self._workers.faults(),
            lease_seconds=self._settings.lease_seconds,
        )

    def system(self) -> System:
        disk, memory = shutil.disk_usage(self._settings.data), psutil.virtual_memory()
        with self._database.read() as connection:
            queued: int = connection.execute(
                select(func.count()).select_from(runs).where(runs.c.status == RunStatus.queued)
            ).scalar_one()
            last = outbox.last_seq(connection)
            ready = self._readiness(connection)
        return System(
            version=__version__,
            versions=versions(),
            epoch=self._database.epoch,
            last_seq=last,
            started_at=self._started_at,
            readiness=ready,
            workers=self._workers.workers(),
            nodes=self._workers.nodes(),
            queued_runs=queued,
            calibration=forecast.calibration_of(self._database),
            models_directory=str(self._settings.models),
            disk_free=disk.free,
            disk_total=disk.total,
            memory_free=memory.available,
            memory_total=memory.total,
            cpu_count=os.cpu_count() or 1,
        )

    def _devices(self) -> list[str]:
        return sorted({"cpu"} | {w.device for w in self._workers.workers() if w.device == "cuda"})

    def _admit_pipeline(self, config: PipelineConfig) -> PipelineConfig:
        roots, devices = self._settings.dataset_roots, self._devices()
        resolved = admission.admit_cognate(config.cognate, roots, devices, "cognate.")
        if config.evomerge is not None:
            parents = len(resolved.specializations)
            admission.admit_settings(config.evomerge, parents, roots, devices, "evomerge.")
            if parents < 2:
                raise admission.invalid(
                    "cognate.specializations",
                    [str(s) for s in resolved.specializations],
                    "makes fewer than two parents",
                    "at least two, or evomerge null",
                )
            evomerge = settled(config.evomerge, ARCHITECTURES[resolved.preset])
            return config.model_copy(update={"cognate": resolved, "evomerge": evomerge})
        return config.model_copy(update={"cognate": resolved})

    def _plan_evomerge(self, connection: Connection, config: EvoMergeConfig) -> tuple[EvoMergeConfig, EvoMergeForecast]:
        """The configuration with every default filled in, and what it needs."""
        parents = admission.admit_parents(connection, config)
        admission.admit_problems(parents, config, self._settings.dataset_roots)
        base = admission.admit_base(connection, config, parents)
        if parents[0].architecture is not None:
            config = settled(config, parents[0].architecture)
        datasets = len(config.datasets) if config.datasets is not None else _dataset_count(parents)

        def model(model_id: str) -> Model:
            found = model_rows.find(connection, model_id)
            if found is None:
                raise Refusal("not_found", f"there is no model {model_id}, from which a parent was made")
            return found

        founded = base is not None or common_foundation(parents, model) is not None
        shapes = [forecast.shape_of(parent) for parent in parents]
        plan = forecast.evomerge(
            self._settings,
            connection,
            config,
            shapes,
            datasets,
            forecast.calibration_of(self._database),
            founded=founded,
        )
        return config, plan

    def _prove_parents(self, config: EvoMergeConfig) -> None:
        """Before any transaction: reading gigabytes may take seconds."""
        with self._database.read() as connection:
            parents = admission.admit_parents(connection, config)
        admission.admit_files(parents, self._proving.weights)


def _settings_of(config: EvoMergeConfig) -> EvoMergeSettings:
    return EvoMergeSettings.model_validate(config.model_dump(include=set(EvoMergeSettings.model_fields)))


def _dataset_count(parents: list[Model]) -> int:
    """Size of the parents' own mixture; all built-in datasets where none of them was trained here."""
    for parent in parents:
        if isinstance(parent.origin, TrainingOrigin):
            return len(parent.origin.config.get("datasets", ())) or 1
    return len(CognateConfig().datasets)


def _cognate_run(config: CognateConfig, trace_id: str | None, pipeline_id: str | None = None) -> Run:
    progress = Progress(done=0, total=total_steps(config), unit="steps", stage="queued", eta_seconds=None)
    run = new_run(
        RunKind.cognate, lambda i: f"cognate {config.preset} {config.session_id or i[-6:].lower()}", progress, trace_id
    )
    return run.model_copy(update={"cognate": config, "pipeline_id": pipeline_id})


def _timings(total: float, recorded: Mapping[str, float]) -> Timings:
    """recorded: seconds by part; `node:<name>` and `queue:<name>` are those of a node."""
    parts = {key: seconds for key, seconds in recorded.items() if ":" not in key}
    names = sorted({key.partition(":")[2] for key in recorded if ":" in key})
    nodes = [
        NodeTime(name=name, busy=recorded.get(f"node:{name}", 0.0), waited=recorded.get(f"queue:{name}", 0.0))
        for name in names
    ]
    return Timings(total=total, parts=parts, nodes=nodes)


def _evomerge_run(
    settings: EvoMergeSettings,
    config: EvoMergeConfig | None,
    trace_id: str | None,
    pipeline_id: str | None = None,
    depends_on: str | None = None,
) -> Run:
    total = settings.generations * settings.population
    progress = Progress(done=0, total=total, unit="candidates", stage="queued", eta_seconds=None)
    run = new_run(RunKind.evomerge, lambda i: f"evomerge {i[-6:].lower()}", progress, trace_id)
    return run.model_copy(
        update={"settings": settings, "evomerge": config, "pipeline_id": pipeline_id, "depends_on": depends_on}
    )


def _pipeline(connection: Connection, pipeline_id: str) -> Pipeline:
    rows = connection.execute(
        select(runs.c.body).where(runs.c.pipeline_id == pipeline_id).order_by(runs.c.id)
    ).scalars()
    by_kind = {run.kind: run for run in map(run_rows.parse, rows)}
    if RunKind.cognate not in by_kind:
        raise Refusal("not_found", f"there is no pipeline {pipeline_id}")
    parents = by_kind[RunKind.cognate]
    created: datetime = parents.created_at
    return Pipeline(id=pipeline_id, cognate=parents, evomerge=by_kind.get(RunKind.evomerge), created_at=created)


def _cognate_report(connection: Connection, run: Run, part: dict[str, object], timings: Timings) -> CognateReport:
    first: dict[str, list[TaskScore]] = {}
    last: dict[str, list[TaskScore]] = {}
    for evaluation in result_rows.evaluations_of(connection, run.id):
        first.setdefault(evaluation.stage, evaluation.tasks)
        last[evaluation.stage] = evaluation.tasks
    creation = part.get("creation")
    return CognateReport(
        run_id=run.id,
        model_ids=run.model_ids,
        first=first,
        last=last,
        creation=CreationTiming.model_validate(creation) if creation is not None else None,
        timings=timings,
    )
