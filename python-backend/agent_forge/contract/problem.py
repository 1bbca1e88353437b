"""RFC 9457 problem details, with a stable code and what to do about it."""

from __future__ import annotations

from typing import Any

from .base import Resource


class FieldError(Resource):
    """One thing that is wrong with a request."""

    field: str
    """Dotted path in the body or the query, e.g. `cognate.seeds.0`."""
    message: str
    value: Any = None
    allowed: str | None = None
    """The allowed values or range, in words: `0.0 to 1.0`, `one of nano, tinytitan, wide`."""


class Problem(Resource):
    type: str
    title: str
    status: int
    code: str
    """Stable, for programs: `invalid_request`, `not_found`, `conflict`, `insufficient_disk`, …"""
    detail: str
    hint: str | None = None
    """What to do about it."""
    instance: str | None = None
    trace_id: str | None = None
    errors: list[FieldError] = []
