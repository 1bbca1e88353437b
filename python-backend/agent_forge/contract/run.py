"""Runs: their states, progress and requests."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from .base import Count, Request, Resource, Time
from .cognate import CognateConfig, CognateForecast
from .evomerge import EvoMergeConfig, EvoMergeForecast, EvoMergeSettings, Fitness
from .merge import MergePlan


class RunKind(StrEnum):
    cognate = "cognate"
    evomerge = "evomerge"
    merge = "merge"


class RunStatus(StrEnum):
    queued = "queued"
    running = "running"
    pausing = "pausing"
    paused = "paused"
    cancelling = "cancelling"
    interrupted = "interrupted"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"


ProgressUnit = Literal["steps", "candidates", "bytes"]
"""`bytes`: of the file of weights that a merge writes."""


class Progress(Resource):
    done: Count
    total: Count
    unit: ProgressUnit
    stage: str
    """What is being done now: `foundation`, `reasoning`, `generation 7`, `held-out evaluation`,
    `merging`."""
    eta_seconds: float | None
    """From the median rate of the recent past; null until there is one."""


class Failure(Resource):
    code: str
    message: str
    hint: str | None = None
    log_tail: list[str] = []


class Run(Resource):
    """The whole state of a run. Exactly one of `cognate`, `evomerge` and `merge` is set, as `kind` says."""

    id: str
    kind: RunKind
    name: str
    status: RunStatus
    pipeline_id: str | None
    depends_on: str | None
    """A run that must succeed before this one starts (the pipeline's cognate run)."""
    attempt: Count
    """Starts so far, resumes included; also the fencing number of its worker."""
    cognate: CognateConfig | None
    evomerge: EvoMergeConfig | None
    """Null for a pipeline stage whose parents do not exist yet; see `settings`."""
    settings: EvoMergeSettings | None
    """How candidates are bred, known from the start; null for other runs."""
    merge: MergePlan | None = None
    progress: Progress
    model_ids: list[str]
    champion_id: str | None
    """Best candidate so far."""
    champion_model_id: str | None
    champion_fitness: float | None
    champion_heldout: Fitness | None = None
    """On problems that nothing was selected on, as the report says; null until the run has measured it."""
    failure: Failure | None
    worker_pid: int | None
    device: str | None
    versions: dict[str, str]
    trace_id: str | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    updated_at: Time
    busy_seconds: float
    """Time spent running, over all attempts."""


class Pipeline(Resource):
    """Cognate, then EvoMerge: two runs made by one call."""

    id: str
    cognate: Run
    evomerge: Run | None
    created_at: Time


class PipelineConfig(Request):
    cognate: CognateConfig = Field(default=CognateConfig(), description="how the parents are made")
    evomerge: EvoMergeSettings | None = Field(
        default=EvoMergeSettings(), description="how they are bred; null: parents only"
    )


class PipelineForecast(Resource):
    cognate: CognateForecast
    evomerge: EvoMergeForecast | None


class LogLine(Resource):
    run_id: str
    time: Time
    level: Literal["info", "warning", "error"]
    message: str


class SeriesPoint(Resource):
    stage: str
    step: Count
    loss: float
    tokens_per_second: float
