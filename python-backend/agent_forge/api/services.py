"""The port between HTTP and the rest: what the routes call. Wired once, in `app.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from ..contract.cognate import CognateConfig, CognateForecast
from ..contract.event import EventPage
from ..contract.evomerge import EvolveConfig, EvoMergeConfig, EvoMergeForecast
from ..contract.imports import ImportFile, ImportRequest, ModelImport
from ..contract.merge import MergeConfig, MergeForecast
from ..contract.model import (
    Lineage,
    Model,
    ModelDetail,
    ModelKind,
    Verification,
    VerifyRequest,
)
from ..contract.pages import ModelPage, RunPage
from ..contract.prediction import Prediction, PredictionPart, PredictRequest
from ..contract.report import CognateReport, EvoMergeReport, MergeReport
from ..contract.run import Pipeline, PipelineConfig, PipelineForecast, Run, RunKind, RunStatus, SeriesPoint
from ..contract.system import BackendReadiness, System


class RunService(Protocol):
    def create_cognate(self, config: CognateConfig, *, key: str | None, trace_id: str | None) -> Run: ...
    def create_evomerge(self, config: EvoMergeConfig, *, key: str | None, trace_id: str | None) -> Run: ...
    def create_pipeline(self, config: PipelineConfig, *, key: str | None, trace_id: str | None) -> Pipeline: ...
    def forecast_cognate(self, config: CognateConfig) -> CognateForecast: ...
    def forecast_evomerge(self, config: EvoMergeConfig) -> EvoMergeForecast: ...
    def forecast_pipeline(self, config: PipelineConfig) -> PipelineForecast: ...
    def page(self, *, kind: RunKind | None, status: RunStatus | None, cursor: str | None, limit: int) -> RunPage: ...
    def command(self, run_id: str, command: Literal["pause", "resume", "cancel", "retry"]) -> Run: ...
    def report(self, run_id: str) -> CognateReport | EvoMergeReport | MergeReport: ...
    def series(self, run_id: str) -> list[SeriesPoint]: ...
    def readiness(self) -> BackendReadiness: ...
    def system(self) -> System: ...


class MergeService(Protocol):
    def create(self, config: MergeConfig, *, key: str | None, trace_id: str | None) -> Run: ...
    def forecast(self, config: MergeConfig) -> MergeForecast: ...
    def evolution(self, config: EvolveConfig) -> EvoMergeConfig: ...


class ModelService(Protocol):
    def page(
        self,
        *,
        kind: ModelKind | None,
        run_id: str | None,
        search: str | None,
        sort: Literal["created_at", "-created_at", "name", "-name", "bytes", "-bytes"],
        cursor: str | None,
        limit: int,
    ) -> ModelPage: ...
    def get(self, model_id: str) -> ModelDetail: ...
    def lineage(self, model_id: str) -> Lineage: ...
    def mergekit(self, model_id: str) -> str:
        """The model's recipe as a merge configuration. Raises `Refusal` where mergekit has no words for it."""

    async def file(self, model_id: str, file_format: Literal["safetensors", "pt"]) -> tuple[Path, str, str]:
        """Path on disk, file name for the user, ETag."""

    def folder(self, model_id: str) -> tuple[str, list[Path]]:
        """Name and files of a model that is a folder, proved. Raises `Refusal`, `RegistryError`."""

    def file_named(self, model_id: str, name: str) -> tuple[Path, str]:
        """A file of the model's folder, proved, and its ETag. Raises as `folder`."""

    def delete(self, model_id: str) -> None: ...
    async def upload(self, name: str, chunks: AsyncIterator[bytes]) -> Model: ...
    async def verify(self, model_id: str, options: VerifyRequest) -> Verification: ...
    async def predict(self, model_id: str, request: PredictRequest) -> Prediction: ...
    async def predicted(self, model_id: str, request: PredictRequest) -> AsyncIterator[PredictionPart]:
        """Part by part; the first is there when this returns. Raises `Refusal`, then also between parts."""

    async def verify_candidate(self, candidate_id: str) -> Verification: ...
    async def materialize(self, candidate_id: str) -> Model: ...


class ImportService(Protocol):
    async def ask(self, request: ImportRequest) -> ModelImport: ...
    async def get(self, import_id: str) -> ModelImport: ...
    async def receive(self, import_id: str, name: str, offset: int, chunks: AsyncIterator[bytes]) -> ImportFile: ...
    async def finish(self, import_id: str) -> ModelImport: ...
    async def discard(self, import_id: str) -> None: ...


class EventService(Protocol):
    def page(self, *, epoch: str | None, after: int, limit: int) -> EventPage: ...
    def stream(self, *, epoch: str | None, after: int) -> AsyncIterator[bytes]:
        """Server-sent events: durable ones with `id: seq`, live ones without, a heartbeat every 10 s."""


@dataclass(frozen=True)
class Services:
    runs: RunService
    merges: MergeService
    models: ModelService
    imports: ImportService
    events: EventService
