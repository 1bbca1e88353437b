"""The event log for clients: pages, and a stream that follows the log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool

from ..contract.event import EventPage
from ..store import outbox
from ..store.database import Database

PAGE = 500
HEARTBEAT_SECONDS = 10.0
LIVE_WAITING = 64
"""Live events that wait for one slow client; beyond that the oldest are dropped, each being superseded anyway."""

Reset = Literal["unknown_epoch", "cursor_ahead"]


class _Client:
    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.live: dict[tuple[str, str], bytes] = {}


class Feed:
    """Durable events are read from the log, never from memory: what a client gets is what was committed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clients: set[_Client] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def committed(self, seq: int) -> None:
        """The log has grown to `seq`. From any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake_all)

    def live(self, event: dict[str, Any]) -> None:
        """Pass a live event on. From the loop's own thread."""
        key = (event["run_id"], event["type"])
        data = f"event: live\ndata: {json.dumps(event, separators=(',', ':'), ensure_ascii=False)}\n\n".encode()
        for client in self._clients:
            client.live.pop(key, None)
            if len(client.live) >= LIVE_WAITING:
                client.live.pop(next(iter(client.live)))
            client.live[key] = data
            client.wake.set()

    def close(self) -> None:
        """End every stream. From the loop's own thread."""
        self._closed = True
        self._wake_all()

    def _wake_all(self) -> None:
        for client in self._clients:
            client.wake.set()

    def page(self, *, epoch: str | None, after: int, limit: int) -> EventPage:
        events, last, reset = self._read(epoch, after, limit)
        body = ",".join(event.json for event in events)
        return EventPage.model_validate_json(
            f'{{"epoch":"{self._database.epoch}","reset":{json.dumps(reset)},"last_seq":{last},"events":[{body}]}}'
        )

    async def stream(self, *, epoch: str | None, after: int) -> AsyncIterator[bytes]:
        """Server-sent events: the log from `after`, then whatever is committed, with live events between."""
        client = _Client()
        self._clients.add(client)
        try:
            # At once, so that the client sees an open stream even if nothing happens for a long time.
            yield b": open\n\n"
            while not self._closed:
                client.wake.clear()
                events, last, reset = await run_in_threadpool(self._read, epoch, after, PAGE)
                if reset is not None:
                    answer = EventPage(epoch=self._database.epoch, reset=reset, last_seq=last, events=[])
                    yield f"event: reset\ndata: {answer.model_dump_json()}\n\n".encode()
                    return
                if events:
                    after = events[-1].seq
                    yield "".join(f"id: {e.seq}\nevent: durable\ndata: {e.json}\n\n" for e in events).encode()
                    if len(events) == PAGE:
                        continue
                if client.live:
                    live, client.live = client.live, {}
                    yield b"".join(live.values())
                while not client.wake.is_set() and not self._closed:
                    try:
                        async with asyncio.timeout(HEARTBEAT_SECONDS):
                            await client.wake.wait()
                    except TimeoutError:
                        yield b": heartbeat\n\n"
        finally:
            self._clients.discard(client)

    def _read(self, epoch: str | None, after: int, limit: int) -> tuple[list[outbox.StoredEvent], int, Reset | None]:
        own = self._database.epoch
        with self._database.read() as connection:
            last = outbox.last_seq(connection)
            reset = _reset(own, epoch, after, last)
            return ([] if reset else outbox.read_after(connection, own, after, limit)), last, reset


def _reset(own: str, epoch: str | None, after: int, last: int) -> Reset | None:
    if epoch is not None and epoch != own:
        return "unknown_epoch"
    return "cursor_ahead" if after > last else None
