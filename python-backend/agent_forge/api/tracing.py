"""W3C trace context: the trace id of the caller, kept with the run that it creates."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Request

_TRACEPARENT = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$")


def trace_id_of(request: Request) -> str | None:
    """The trace id in `traceparent`, or None where the header is absent or malformed."""
    match = _TRACEPARENT.match(request.headers.get("traceparent", ""))
    return match[1] if match else None


TraceId = Annotated[str | None, Depends(trace_id_of)]
