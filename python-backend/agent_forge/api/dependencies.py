"""What every route file shares: the services of the running application, and documented problems."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request

from ..contract.problem import Problem
from .services import Services


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Injected = Annotated[Services, Depends(services_of)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="a repeat with the same key and body returns what the first call made",
    ),
]
Limit = Annotated[int, Query(ge=1, le=500, description="rows per page")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for the statuses that a route may answer besides success."""
    return {status: {"model": Problem, "content": {"application/problem+json": {}}} for status in (*statuses, 401, 422)}
