from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from agent_forge.contract.base import now
from agent_forge.contract.run import LogLine, Run
from agent_forge.service.feed import LIVE_WAITING, Feed
from agent_forge.store import result_rows, run_rows
from agent_forge.store.database import Database


def _run(work: Callable[[Feed, Database], Awaitable[None]], path: Path) -> None:
    async def main() -> None:
        database = Database(path / "feed.db", on_commit=lambda seq: feed.committed(seq))
        feed = Feed(database)
        database.migrate()
        feed.start(asyncio.get_running_loop())
        await asyncio.wait_for(work(feed, database), 20)
        database.close()

    asyncio.run(main())


def _write(database: Database, count: int) -> None:
    for _ in range(count):
        with database.write() as tx:
            result_rows.add_log(tx, LogLine(run_id="r", time=now(), level="info", message="x"))


async def _seqs(stream: AsyncIterator[bytes], until: int) -> list[int]:
    found: list[int] = []
    async for chunk in stream:
        found += [int(line[4:]) for line in chunk.decode().splitlines() if line.startswith("id: ")]
        if found and found[-1] >= until:
            return found
    return found


def test_a_stream_catches_up_and_follows_without_gap_or_repeat(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    async def work(feed: Feed, database: Database) -> None:
        with database.write() as tx:
            run_rows.create(tx, make_run("r"))
        _write(database, 20)
        following = asyncio.create_task(_seqs(feed.stream(epoch=database.epoch, after=5), until=61))
        await asyncio.gather(*(asyncio.to_thread(_write, database, 10) for _ in range(4)))
        assert await following == list(range(6, 62))

    _run(work, tmp_path)


@pytest.mark.parametrize(("epoch", "after", "want"), [("other", 0, "unknown_epoch"), (None, 99, "cursor_ahead")])
def test_a_cursor_that_means_nothing_is_told(tmp_path: Path, epoch: str | None, after: int, want: str) -> None:
    async def work(feed: Feed, database: Database) -> None:
        page = feed.page(epoch=epoch, after=after, limit=10)
        assert (page.reset, page.events, page.epoch) == (want, [], database.epoch)
        text = b"".join([chunk async for chunk in feed.stream(epoch=epoch, after=after)]).decode()
        data = next(line for line in text.splitlines() if line.startswith("data: "))
        assert "event: reset" in text
        assert json.loads(data[6:])["reset"] == want

    _run(work, tmp_path)


def test_pages_join_without_gap(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    async def work(feed: Feed, database: Database) -> None:
        with database.write() as tx:
            run_rows.create(tx, make_run("r"))
        _write(database, 24)
        after, seen = 0, []
        while events := feed.page(epoch=None, after=after, limit=7).events:
            seen += [event.root.seq for event in events]
            after = seen[-1]
        assert seen == list(range(1, 26))

    _run(work, tmp_path)


def test_a_slow_client_holds_few_live_events_and_the_newest_of_each(tmp_path: Path) -> None:
    async def work(feed: Feed, database: Database) -> None:
        stream = feed.stream(epoch=None, after=0)
        await anext(stream)
        for number in range(1000):
            feed.live({"run_id": f"r{number % 100}", "type": "run.progress", "number": number})
        text = (await anext(stream)).decode()
        numbers = [json.loads(line[6:])["number"] for line in text.splitlines() if line.startswith("data: ")]
        assert numbers == list(range(1000 - LIVE_WAITING, 1000))
        await stream.aclose()

    _run(work, tmp_path)


def test_closing_ends_every_stream(tmp_path: Path) -> None:
    async def work(feed: Feed, database: Database) -> None:
        stream = feed.stream(epoch=None, after=0)
        await anext(stream)
        rest = asyncio.create_task(_seqs(stream, until=1))
        await asyncio.sleep(0)
        feed.close()
        assert await rest == []

    _run(work, tmp_path)
