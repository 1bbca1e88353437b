"""The event log: pages, and the same as server-sent events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from ..contract.event import EventPage, LiveEvent
from .dependencies import Injected, problems

router = APIRouter(tags=["events"])
After = Annotated[int, Query(ge=0, le=2**53 - 1, description="last `seq` that the caller has; 0 for all")]
Epoch = Annotated[str | None, Query(max_length=64, description="epoch that `after` belongs to")]


@router.get("/events", operation_id="listEvents", responses=problems())
def list_events(
    services: Injected,
    after: After = 0,
    epoch: Epoch = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> EventPage:
    return services.events.page(epoch=epoch, after=after, limit=limit)


@router.get(
    "/events/stream",
    operation_id="streamEvents",
    response_class=StreamingResponse,
    responses={
        200: {
            "model": LiveEvent,
            "description": "`event: durable` with `id: seq` and an Event; `event: live` with a LiveEvent; "
            "`event: reset` with an EventPage whose `reset` says why; comments as heartbeats every 10 s",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **problems(),
    },
)
def stream_events(
    services: Injected,
    after: After = 0,
    epoch: Epoch = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", pattern=r"^\d{1,16}$")] = None,
) -> StreamingResponse:
    start = int(last_event_id) if last_event_id else after
    return StreamingResponse(
        services.events.stream(epoch=epoch, after=start),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )
