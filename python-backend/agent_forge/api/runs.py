"""Runs, pipelines and their forecasts."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.convertors import Convertor, register_url_convertor

from ..contract.cognate import CognateConfig, CognateForecast
from ..contract.evomerge import EvoMergeConfig, EvoMergeForecast
from ..contract.pages import RunPage
from ..contract.report import CognateReport, EvoMergeReport, MergeReport
from ..contract.run import Pipeline, PipelineConfig, PipelineForecast, Run, RunKind, RunStatus, SeriesPoint
from .dependencies import Cursor, IdempotencyKey, Injected, Limit, problems
from .tracing import TraceId

router = APIRouter(tags=["runs"])
Command = Literal["pause", "resume", "cancel", "retry"]
Report = Annotated[CognateReport | EvoMergeReport | MergeReport, Field(discriminator="kind")]


class _CommandConvertor(Convertor[str]):
    """The commands alone: `POST /runs/{run_id}/report` is another resource, which has no such method."""

    regex = "|".join(get_args(Command))

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("command", _CommandConvertor())


@router.post("/cognate/runs", operation_id="createCognateRun", status_code=202, responses=problems(409, 503))
def create_cognate_run(config: CognateConfig, services: Injected, trace: TraceId, key: IdempotencyKey = None) -> Run:
    """Create and train the parents."""
    return services.runs.create_cognate(config, key=key, trace_id=trace)


@router.post("/cognate/forecast", operation_id="forecastCognate", responses=problems())
def forecast_cognate(config: CognateConfig, services: Injected) -> CognateForecast:
    """Sizes, time and resources of a cognate run, without starting it."""
    return services.runs.forecast_cognate(config)


@router.post(
    "/evomerge/runs", operation_id="createEvomergeRun", status_code=202, responses=problems(404, 409, 410, 503)
)
def create_evomerge_run(config: EvoMergeConfig, services: Injected, trace: TraceId, key: IdempotencyKey = None) -> Run:
    """Breed registered models."""
    return services.runs.create_evomerge(config, key=key, trace_id=trace)


@router.post("/evomerge/forecast", operation_id="forecastEvomerge", responses=problems(404, 409, 410))
def forecast_evomerge(config: EvoMergeConfig, services: Injected) -> EvoMergeForecast:
    """Sizes, time and resources of an evomerge run, without starting it."""
    return services.runs.forecast_evomerge(config)


@router.post("/pipelines", operation_id="createPipeline", status_code=202, responses=problems(409, 503))
def create_pipeline(config: PipelineConfig, services: Injected, trace: TraceId, key: IdempotencyKey = None) -> Pipeline:
    """Cognate, then EvoMerge on what it made."""
    return services.runs.create_pipeline(config, key=key, trace_id=trace)


@router.post("/pipelines/forecast", operation_id="forecastPipeline", responses=problems())
def forecast_pipeline(config: PipelineConfig, services: Injected) -> PipelineForecast:
    return services.runs.forecast_pipeline(config)


@router.get("/runs", operation_id="listRuns", responses=problems())
def list_runs(
    services: Injected,
    kind: Annotated[RunKind | None, Query()] = None,
    status: Annotated[RunStatus | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> RunPage:
    """Newest first."""
    return services.runs.page(kind=kind, status=status, cursor=cursor, limit=limit)


@router.post(
    "/runs/{run_id}/{command:command}", operation_id="commandRun", status_code=202, responses=problems(404, 409)
)
def command_run(run_id: str, command: Command, services: Injected) -> Run:
    """Pause, resume, cancel, or retry (a failed or cancelled run goes on from its last checkpoint)."""
    return services.runs.command(run_id, command)


@router.get("/runs/{run_id}/report", operation_id="getRunReport", responses=problems(404))
def get_run_report(run_id: str, services: Injected) -> Report:
    """What the run has found so far; complete when it has ended."""
    return services.runs.report(run_id)


@router.get("/runs/{run_id}/series", operation_id="getRunSeries", responses=problems(404))
def get_run_series(run_id: str, services: Injected) -> list[SeriesPoint]:
    """Training loss over steps, down-sampled to at most 1,000 points a stage."""
    return services.runs.series(run_id)
