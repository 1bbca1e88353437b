"""The supervisor over real processes: small ones that say what a worker would say, or what none should."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from agent_forge.background import tasks
from agent_forge.background.backoff import WORKER_START, Policy
from agent_forge.background.tasks import Tasks
from agent_forge.contract.run import Run, RunStatus
from agent_forge.settings import Settings
from agent_forge.store import run_rows
from agent_forge.store.database import Database
from agent_forge.store.schema import runs
from agent_forge.supervision import supervisor
from agent_forge.supervision.supervisor import LINE_LIMIT, Supervisor

READY = b'{"kind":"ready","device":"cpu"}\n'
SECONDS = 60


class Stage:
    """A supervisor whose workers are `talker.py`, and what it was told."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.talk, self.monkeypatch = directory / "talk", monkeypatch
        self.settings = Settings(data=directory, workers=1, lease_seconds=1, database_busy_seconds=0.1)
        self.database = Database(self.settings.database, busy_seconds=self.settings.database_busy_seconds)
        self.committed: list[int] = []
        self.live: list[dict[str, Any]] = []
        self.fatal: list[str] = []
        self.tasks = Tasks(self.fatal.append)
        self.supervisor = Supervisor(
            self.settings, self.database, self.tasks, live=self.live.append, committed=self.committed.append
        )
        self.say(READY)

    def say(self, *lines: bytes, end: str = "when told") -> None:
        self.talk.write_bytes(b"".join(lines))
        self.monkeypatch.setenv("TALK", str(self.talk))
        self.monkeypatch.setenv("TALK_END", end)

    def idle(self) -> bool:
        return [worker.status for worker in self.supervisor.workers()] == ["idle"]

    def status(self, run_id: str) -> RunStatus:
        with self.database.read() as connection:
            run = run_rows.find(connection, run_id)
        assert run is not None
        return run.status

    def play(self, scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            await self.supervisor.start()
            try:
                await asyncio.wait_for(scene(), SECONDS)
            finally:
                await self.supervisor.stop()
                await self.tasks.close()

        asyncio.run(main())


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.02)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(supervisor, "worker_command", lambda name: [sys.executable, str(_TALKER), name])
    monkeypatch.setattr(supervisor, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(tasks, "TASK", Policy(0.01, 3.0))
    made = Stage(tmp_path, monkeypatch)
    made.database.migrate()
    return made


_TALKER = Path(__file__).parent / "talker.py"

MALFORMED = {
    "no JSON": b"Segmentation fault",
    "no Unicode": b"\xff\xfe\x00",
    "cut": b'{"kind":"committed","seq":',
    "a list": b"[1,2]",
    "no kind": b'{"seq":3}',
    "unknown kind": b'{"kind":"dance"}',
    "missing key": b'{"kind":"committed"}',
    "wrong type": b'{"kind":"committed","seq":"4"}',
    "live without its run": b'{"kind":"live","event":{"type":"run.progress"}}',
    "empty": b"",
    "deep": b"[" * 100_000,
    "longer than the limit": b"x" * (2 * LINE_LIMIT + 3),
}


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_line_is_skipped_and_logged(stage: Stage, line: bytes, caplog: pytest.LogCaptureFixture) -> None:
    stage.say(READY, line + b"\n", b'{"kind":"committed","seq":7}\n')

    async def scene() -> None:
        await until(lambda: stage.committed == [7])
        assert stage.idle()

    stage.play(scene)
    assert any("is skipped" in record.getMessage() for record in caplog.records)
    assert stage.fatal == []


@pytest.mark.parametrize("step", ["_spawn", "_listen", "_watch", "_give_up", "_committed"])
def test_whatever_raises_once_workers_and_leases_are_back(
    stage: Stage, step: str, monkeypatch: pytest.MonkeyPatch, make_run: Callable[..., Run]
) -> None:
    stage.say(READY, b'{"kind":"committed","seq":7}\n')
    with stage.database.write() as tx:
        run_rows.create(tx, make_run("r"))
        run_rows.lease_next(tx, "a worker of a former life", 1, 10.0)
    raised: list[str] = []
    original = getattr(stage.supervisor, step)

    def once(*arguments: Any) -> Any:
        if not raised:
            raised.append(step)
            raise RuntimeError("once")
        return original(*arguments)

    monkeypatch.setattr(stage.supervisor, step, once)

    async def scene() -> None:
        await until(lambda: bool(raised))
        await until(lambda: stage.committed[-1:] == [7] and stage.idle() and not stage.tasks.faults())
        await until(lambda: stage.status("r") is RunStatus.queued)

    stage.play(scene)
    assert stage.fatal == []


@pytest.mark.parametrize("step", ["_spawn", "_listen", "_give_up"])
def test_what_raises_for_ever_ends_the_process(stage: Stage, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise RuntimeError("for ever")

    monkeypatch.setattr(stage.supervisor, step, never)
    monkeypatch.setattr(tasks, "TASK", Policy(0.01, 0.01))

    async def scene() -> None:
        await until(lambda: bool(stage.fatal))
        monkeypatch.undo()

    stage.play(scene)
    assert "cannot go on: RuntimeError: for ever" in stage.fatal[0]


def test_a_lost_run_is_given_up_once_the_lock_is_free_and_logged_then(
    stage: Stage, make_run: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records if "run interrupted" in record.getMessage()]

    with stage.database.write() as tx:
        run_rows.create(tx, make_run("r"))
        run_rows.lease_next(tx, "a worker of a former life", 1, 10.0)
    other = sqlite3.connect(stage.settings.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def scene() -> None:
        await until(lambda: "database_busy" in stage.tasks.faults().get("leases", ""))
        await until(stage.idle)
        await asyncio.sleep(0.5)
        assert (stage.status("r"), told()) == (RunStatus.running, [])
        assert stage.supervisor.faults() == ["leases: database_busy"]
        other.rollback()
        await until(lambda: stage.status("r") is RunStatus.queued)
        await until(lambda: told() == ["run interrupted: the backend ended"])
        await until(lambda: "leases" not in stage.tasks.faults())

    stage.play(scene)
    other.close()
    assert stage.fatal == []


def test_a_worker_that_speaks_keeps_a_run_whose_lease_it_could_not_renew(
    stage: Stage, make_run: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    with stage.database.write() as tx:
        run_rows.create(tx, make_run("r"))

    async def scene() -> None:
        await until(stage.idle)
        (worker,) = stage.supervisor._workers
        with stage.database.write() as tx:
            run_rows.lease_next(tx, worker.name, 1, -1.0)
        for _ in range(10):
            worker.heard = time.monotonic()
            await asyncio.sleep(0.05)
            assert stage.status("r") is RunStatus.running
        await until(lambda: stage.status("r") is RunStatus.queued)
        await until(lambda: "worker is silent: killed" in [record.getMessage() for record in caplog.records])

    stage.play(scene)


def test_workers_that_end_at_once_follow_each_other_slower_and_slower(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.say(READY, end="at once")
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def record(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(supervisor.asyncio, "sleep", record)

    async def scene() -> None:
        while [p for p in pauses if p >= WORKER_START.first][:3] != [0.5, 1.0, 2.0]:
            await sleep(0.02)

    stage.play(scene)


def test_only_workers_that_can_work_and_are_heard_are_alive(stage: Stage) -> None:
    async def scene() -> None:
        assert stage.supervisor.alive() == 0
        await until(stage.idle)
        (worker,) = stage.supervisor._workers
        assert stage.supervisor.alive() == 1
        worker.heard -= stage.settings.lease_seconds + 1
        assert stage.supervisor.alive() == 0

    stage.play(scene)


def test_a_run_without_a_lease_is_nobodys(stage: Stage, make_run: Callable[..., Run]) -> None:
    with stage.database.write() as tx:
        run_rows.create(tx, make_run("r"))
        run_rows.lease_next(tx, "w", 1, 10.0)
        tx.connection.execute(update(runs).values(worker=None, lease_until=None))

    async def scene() -> None:
        await until(lambda: stage.status("r") is RunStatus.queued)

    stage.play(scene)


@pytest.mark.parametrize("turns", range(5))
def test_the_watch_of_leases_ends_when_closed_whatever_happens_in_the_same_turn(stage: Stage, turns: int) -> None:
    """`play` returns only once every task has ended."""

    async def scene() -> None:
        await until(stage.idle)
        stage.supervisor._look.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(SECONDS):
            await stage.tasks.close()

    stage.play(scene)
