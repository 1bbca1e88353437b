"""The one table of errors, and how everything that goes wrong becomes problem+json (RFC 9457)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from ..contract.problem import MOST_ERRORS, FieldError, Problem
from ..registry.errors import RegistryError
from ..store.errors import Refusal
from ..store.faults import DATABASE_BUSY, DATABASE_DAMAGED, DISK_ERROR, DISK_FULL, in_short, store_fault
from .allowed_values import allowed_in_words
from .tracing import trace_id_of

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
_LONGEST_VALUE = 200


@dataclass(frozen=True)
class Kind:
    status: int
    title: str
    hint: str | None = None


KINDS: dict[str, Kind] = {
    "invalid_request": Kind(422, "The request is not valid", "Correct the fields named in `errors`."),
    "invalid_json": Kind(422, "The body is not JSON", "Send a JSON object with `Content-Type: application/json`."),
    "configuration_refused": Kind(
        422,
        "The merge configuration cannot be done",
        "Correct the line that is named; what is not supported is never ignored.",
    ),
    "insufficient_disk": Kind(422, "Not enough disk space", "Delete models, or choose a smaller plan."),
    "insufficient_memory": Kind(422, "Not enough memory", "Choose a smaller preset, batch or population."),
    "malformed_file": Kind(422, "Not a valid safetensors file", "Write it again with the safetensors library."),
    "bad_model_file": Kind(422, "A file of the model cannot be used"),
    "incomplete_model": Kind(422, "The files do not make a model", "Bring all files of the model's folder together."),
    "bad_name": Kind(422, "Not a valid name", "Use letters, digits, `.`, `_` and `-`."),
    "wrong_shape": Kind(422, "The tensors do not fit the architecture"),
    "unauthorized": Kind(401, "A valid bearer token is needed", "Send `Authorization: Bearer <token>`."),
    "not_found": Kind(404, "Not found"),
    "method_not_allowed": Kind(405, "Method not allowed", "See the `Allow` header."),
    "conflict": Kind(409, "Not possible in the present state"),
    "idempotency_conflict": Kind(409, "Idempotency-Key used before", "Use a new key for a new request."),
    "model_in_use": Kind(409, "The model is still needed", "Delete what was made from it first."),
    "name_taken": Kind(409, "The name is taken", "Choose another name."),
    "not_expressible": Kind(
        409,
        "mergekit has no words for the recipe",
        "The recipe itself is the model's origin, and recipe.json of its folder.",
    ),
    "not_a_folder": Kind(
        409, "The model has no folder", "Download its safetensors file: folders are what came or was bred as one."
    ),
    "not_runnable": Kind(
        409, "The model cannot be run here", "TinyTitans can, and causal language models with config and tokenizer."
    ),
    "digest_mismatch": Kind(409, "Rebuilt, the model differs", "Its parents or the code have changed since."),
    "bad_leaf": Kind(409, "A model that the recipe needs is gone or changed"),
    "merge_refused": Kind(409, "The recipe cannot be made"),
    "bad_parameter": Kind(409, "The recipe has a parameter that its op does not take", "See `GET /v1/merge-methods`."),
    "leaf_changed": Kind(409, "A model that the recipe needs has changed"),
    "non_finite": Kind(409, "The recipe meets NaN or an infinity"),
    "no_champion": Kind(409, "No candidate could be merged and measured"),
    "other_search": Kind(409, "The run was searched by another version"),
    "parent_not_measurable": Kind(409, "What a parent computes is not finite", "Leave this model out."),
    "shapes_differ": Kind(409, "The recipe merges models of different shapes"),
    "unknown_op": Kind(409, "The recipe names an op that is not here", "See `GET /v1/merge-methods`."),
    "unsupported_dtype": Kind(409, "A tensor is of a type that cannot be used here"),
    "wrong_inputs": Kind(409, "The recipe gives an op too few or too many inputs", "See `GET /v1/merge-methods`."),
    "several_files": Kind(409, "The model is not one file"),
    "offset_differs": Kind(409, "The file goes on from another place"),
    "file_differs": Kind(
        409,
        "The model's file is not what was registered",
        "Verify the model; then restore its file from a back-up, or delete it and make it again.",
    ),
    "file_missing": Kind(410, "The model's file is gone", "Restore it, or delete the model."),
    "too_large": Kind(413, "The body is too large"),
    "range_not_satisfiable": Kind(416, "The range is beyond the file"),
    "misdirected": Kind(421, "Not a host of this server", "Use the address that the server printed."),
    "internal_error": Kind(500, "Something went wrong here", "The log has the details under this trace id."),
    "hub_unavailable": Kind(503, "The Hugging Face hub gives no such model"),
    "worker_unavailable": Kind(503, "Worker not responding", "Try again in a moment."),
    DATABASE_BUSY.code: Kind(503, "The database is busy", DATABASE_BUSY.hint),
    DISK_FULL.code: Kind(507, "The disk is full", DISK_FULL.hint),
    DISK_ERROR.code: Kind(500, "The disk cannot be read or written", DISK_ERROR.hint),
    DATABASE_DAMAGED.code: Kind(500, "The database is damaged", DATABASE_DAMAGED.hint),
}
_BY_STATUS = {
    400: "invalid_json",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    416: "range_not_satisfiable",
}


def problem(
    code: str,
    detail: str,
    request: Request | None = None,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
    hint: str | None = None,
    errors_omitted: int | None = 0,
) -> Response:
    """A code that is not in the table is an internal error. `hint`: where the error knows better than the table."""
    kind = KINDS.get(code) or KINDS["internal_error"]
    body = Problem(
        type=f"urn:agent-forge:problem:{code}",
        title=kind.title,
        status=kind.status,
        code=code,
        detail=detail,
        hint=hint or kind.hint,
        instance=request.url.path if request is not None else None,
        trace_id=trace_id_of(request) if request is not None else None,
        errors=(errors or [])[:MOST_ERRORS],
        errors_omitted=None if errors_omitted is None else errors_omitted + max(0, len(errors or []) - MOST_ERRORS),
    )
    extra = dict(headers or {})
    if kind.status == 503:
        extra.setdefault("Retry-After", "2")
    if kind.status == 401:
        extra.setdefault("WWW-Authenticate", "Bearer")
    # The value that was sent may be invalid Unicode: escaped, it can be shown all the same.
    return Response(json.dumps(body.model_dump(mode="json")), kind.status, extra, MEDIA_TYPE)


def field_errors(request: Request, found_errors: Iterable[dict[str, Any]]) -> list[FieldError]:
    return [
        FieldError(
            field=_short(".".join(str(part) for part in _path(found["loc"])) or "body"),
            message=_short(found["msg"]),
            value=_short(found.get("input")),
            allowed=allowed_in_words(request, found["loc"]),
        )
        for found in found_errors
    ]


def _path(location: tuple[Any, ...]) -> tuple[Any, ...]:
    """Without the part of the request that the field is in; the field's own name says enough."""
    return location[1:] if location and location[0] in ("body", "query", "path", "header") else location


def _short(value: Any) -> Any:
    """The value that was sent; a long one is cut."""
    if isinstance(value, str | bytes):
        text = value.decode(errors="replace") if isinstance(value, bytes) else value
        return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"
    if isinstance(value, bool | int | float) or value is None:
        return value if not isinstance(value, float) or abs(value) < float("inf") else repr(value)
    return _short(repr(value))


def install(app: FastAPI) -> None:
    """Register the handlers."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        return problem(error.code, error.detail, request, error.errors)

    @app.exception_handler(RegistryError)
    async def registry(request: Request, error: RegistryError) -> Response:
        return problem(error.code, str(error), request, hint=error.hint)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        found = error.errors()
        errors = field_errors(request, found[:MOST_ERRORS])
        if found[0]["type"] == "json_invalid":
            return problem("invalid_json", errors[0].message, request, errors)
        names = ", ".join(fault.field for fault in errors[:5])
        omitted = len(found) - len(errors)
        return problem("invalid_request", f"not valid: {names}", request, errors, errors_omitted=omitted)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        code = _BY_STATUS.get(error.status_code, "invalid_request")
        # Where a body cannot be parsed, only the cause knows why: nested too deeply, a number too long.
        return problem(code, f"{error.__cause__ or error.detail}", request, None, error.headers)

    @app.exception_handler(DBAPIError)
    async def database(request: Request, error: DBAPIError) -> Response:
        return unknown(request, error)

    @app.exception_handler(OSError)
    async def operating_system(request: Request, error: OSError) -> Response:
        return unknown(request, error)

    @app.exception_handler(Exception)
    async def anything(request: Request, error: Exception) -> Response:
        return unknown(request, error)


def unknown(request: Request, error: Exception) -> Response:
    """Logged once, with the trace id that the answer carries."""
    extra = {"trace_id": trace_id_of(request)}
    fault = store_fault(error)
    if fault is None:
        log.error("%s %s", request.method, request.url.path, exc_info=error, extra=extra)
        return problem("internal_error", f"{type(error).__name__}", request)
    # The name says it all, and a client that tries again would fill the log with the same traceback.
    log.error("%s %s: %s: %s", request.method, request.url.path, fault.code, in_short(error), extra=extra)
    return problem(fault.code, f"nothing was changed: {in_short(error)}", request)
