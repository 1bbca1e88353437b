"""The model registry: list, detail, lineage, download, import, verify, predict, delete."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response, StreamingResponse

from ..contract.model import (
    Lineage,
    Model,
    ModelDetail,
    ModelKind,
    Verification,
    VerifyRequest,
)
from ..contract.pages import ModelPage
from ..contract.prediction import Prediction, PredictionFailed, PredictionPart, PredictRequest
from ..registry.bundle.archive import zipped
from ..store.errors import Refusal
from .byte_ranges import read_ranges
from .configuration_body import DOCUMENTS, YAML
from .dependencies import Cursor, Injected, Limit, problems

router = APIRouter(tags=["models"])
BINARY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@router.get("/models", operation_id="listModels", responses=problems())
def list_models(
    services: Injected,
    kind: Annotated[ModelKind | None, Query()] = None,
    run_id: Annotated[str | None, Query(max_length=64)] = None,
    search: Annotated[str | None, Query(max_length=200, description="part of the name or id")] = None,
    sort: Annotated[Literal["created_at", "-created_at", "name", "-name", "bytes", "-bytes"], Query()] = "-created_at",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ModelPage:
    return services.models.page(kind=kind, run_id=run_id, search=search, sort=sort, cursor=cursor, limit=limit)


@router.post(
    "/models/import",
    operation_id="importModel",
    status_code=201,
    responses=problems(409, 413, 507),
    openapi_extra={"requestBody": {"required": True, **BINARY}},
)
async def import_model(
    request: Request,
    services: Injected,
    name: Annotated[str, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")],
) -> Model:
    """Bring your own: a safetensors file as the request body, streamed to disk."""
    return await services.models.upload(name, request.stream())


@router.get("/models/{model_id}", operation_id="getModel", responses=problems(404))
def get_model(model_id: str, services: Injected) -> ModelDetail:
    return services.models.get(model_id)


@router.delete("/models/{model_id}", operation_id="deleteModel", status_code=204, responses=problems(404, 409))
def delete_model(model_id: str, services: Injected) -> None:
    """Refused while it is an ancestor of something kept."""
    services.models.delete(model_id)


@router.get("/models/{model_id}/lineage", operation_id="getLineage", responses=problems(404))
def get_lineage(model_id: str, services: Injected) -> Lineage:
    return services.models.lineage(model_id)


@router.get(
    "/models/{model_id}/recipe.yaml",
    operation_id="getModelConfiguration",
    response_class=Response,
    responses={200: DOCUMENTS, **problems(404, 409)},
)
def get_model_configuration(model_id: str, services: Injected) -> Response:
    """A merged or bred model's recipe as a merge configuration of mergekit; 409 says what mergekit has no words for."""
    return Response(services.models.mergekit(model_id), media_type=YAML)


@router.get(
    "/models/{model_id}/download",
    operation_id="downloadModel",
    response_class=FileResponse,
    responses={
        200: BINARY,
        206: BINARY | {"description": "Part of the file, as the Range header asks"},
        416: {"description": "Range beyond the file"},
        **problems(404, 409, 410, 503),
    },
)
async def download_model(
    model_id: str,
    request: Request,
    services: Injected,
    format: Annotated[Literal["safetensors", "pt", "zip"], Query()] = "safetensors",
) -> Response:
    """`zip`: the folder of a model that has one, as Hugging Face names its files; made while it is sent, so no part of
    it can be asked for."""
    if format == "zip":
        name, paths = await run_in_threadpool(services.models.folder, model_id)
        headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
        return StreamingResponse(zipped(name, paths), media_type="application/zip", headers=headers)
    path, filename, etag = await services.models.file(model_id, format)
    read_ranges(request, path.stat().st_size)
    return FileResponse(path, filename=filename, media_type="application/octet-stream", headers={"ETag": etag})


@router.get(
    "/models/{model_id}/files/{name}",
    operation_id="downloadModelFile",
    response_class=FileResponse,
    responses={
        200: BINARY,
        206: BINARY | {"description": "Part of the file, as the Range header asks"},
        416: {"description": "Range beyond the file"},
        **problems(404, 409, 410),
    },
)
async def download_model_file(
    model_id: str, name: Annotated[str, Path(max_length=255)], request: Request, services: Injected
) -> FileResponse:
    """One file of a model's folder."""
    path, etag = await run_in_threadpool(services.models.file_named, model_id, name)
    read_ranges(request, path.stat().st_size)
    return FileResponse(path, filename=name, media_type="application/octet-stream", headers={"ETag": etag})


@router.post("/models/{model_id}/verify", operation_id="verifyModel", responses=problems(404, 503))
async def verify_model(model_id: str, services: Injected, options: VerifyRequest | None = None) -> Verification:
    """Re-hash the file, recount its parameters, rebuild it from its recipe, compare."""
    return await services.models.verify(model_id, options or VerifyRequest())


@router.post("/models/{model_id}/predict", operation_id="predict", responses=problems(404, 409, 410, 503))
async def predict(model_id: str, body: PredictRequest, services: Injected) -> Prediction:
    """Try a model: its answer, with probability and likeliest alternatives of each token; of a TinyTitan also depth and
    memory gate."""
    return await services.models.predict(model_id, body)


class Lines(StreamingResponse):
    media_type = "application/x-ndjson"


@router.post(
    "/models/{model_id}/predict/stream",
    operation_id="streamPrediction",
    response_class=Lines,
    responses={
        200: {"model": PredictionPart, "description": "One JSON object a line, each as soon as it is known"},
        **problems(404, 409, 410, 503),
    },
)
async def stream_prediction(model_id: str, body: PredictRequest, services: Injected) -> Lines:
    """As `predict`, token by token. Who closes the connection ends the computation."""
    parts = await services.models.predicted(model_id, body)
    return Lines(_lines(parts), headers={"Cache-Control": "no-store"})


async def _lines(parts: AsyncIterator[PredictionPart]) -> AsyncIterator[str]:
    try:
        async for part in parts:
            yield part.model_dump_json() + "\n"
    except Refusal as error:
        yield PredictionFailed(code=error.code, detail=error.detail).model_dump_json() + "\n"


@router.post("/candidates/{candidate_id}/verify", operation_id="verifyCandidate", responses=problems(404, 503))
async def verify_candidate(candidate_id: str, services: Injected) -> Verification:
    """Rebuild a candidate from its recipe and compare with the digest that was evaluated."""
    return await services.models.verify_candidate(candidate_id)


@router.post(
    "/candidates/{candidate_id}/materialize",
    operation_id="materializeCandidate",
    status_code=201,
    responses=problems(404, 409, 503),
)
async def materialize_candidate(candidate_id: str, services: Injected) -> Model:
    """Rebuild a candidate from its recipe and keep it as a registered model."""
    return await services.models.materialize(candidate_id)
