"""RFC 9457 problem details, with a stable code and what to do about it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from .base import Count, Resource

MOST_ERRORS = 50
"""How many faults a problem names; a reader mends no more at a time, and an answer stays small."""


class FieldError(Resource):
    """One thing that is wrong with a request."""

    field: str
    """Dotted path in the body or the query, e.g. `cognate.seeds.0`."""
    message: str
    value: Any = None
    allowed: str | None = None
    """The allowed values or range, in words: `integer, 1 to 5`, `one of nano, tinytitan, wide`."""


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
    errors: Annotated[list[FieldError], Field(max_length=MOST_ERRORS)] = []
    errors_omitted: Count | None = 0
    """How many more faults there are than `errors` names; null where they were not counted."""
