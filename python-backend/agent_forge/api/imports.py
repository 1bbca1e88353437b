"""Models that people bring: an import is asked for, its files are sent, it is finished; each step can be repeated."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from ..contract.imports import ImportFile, ImportRequest, ModelImport
from .dependencies import Injected, problems
from .models import BINARY

router = APIRouter(tags=["models"])


@router.post("/imports", operation_id="createImport", status_code=201, responses=problems(409, 507))
async def create_import(body: ImportRequest, services: Injected) -> ModelImport:
    """Bring a folder. The same name again takes up what has come; the answer says which files are taken."""
    return await services.imports.ask(body)


@router.get("/imports/{import_id}", operation_id="getImport", responses=problems(404))
async def get_import(import_id: str, services: Injected) -> ModelImport:
    return await services.imports.get(import_id)


@router.put(
    "/imports/{import_id}/files/{name}",
    operation_id="sendImportFile",
    responses=problems(404, 409, 413, 507),
    openapi_extra={"requestBody": {"required": True, **BINARY}},
)
async def send_import_file(
    import_id: str,
    name: str,
    request: Request,
    services: Injected,
    offset: Annotated[int, Query(ge=0, le=2**53 - 1, description="`received` of the file: where it goes on")] = 0,
) -> ImportFile:
    """A file of the import, or the rest of it, streamed to disk. What has come before a cut stays."""
    return await services.imports.receive(import_id, name, offset, request.stream())


@router.post("/imports/{import_id}/finish", operation_id="finishImport", status_code=202, responses=problems(404, 409))
async def finish_import(import_id: str, services: Injected) -> ModelImport:
    """All files are there: check them and make the model, in the background."""
    return await services.imports.finish(import_id)


@router.delete("/imports/{import_id}", operation_id="discardImport", status_code=204, responses=problems(404, 409))
async def discard_import(import_id: str, services: Injected) -> None:
    """Forget the import and what has come of it."""
    await services.imports.discard(import_id)
