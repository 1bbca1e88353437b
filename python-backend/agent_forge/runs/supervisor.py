"""Keeps the workers alive, in the API process: spawn, listen, give up the dead and the silent, respawn."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool
from ulid import ULID

from ..contract.base import now
from ..contract.run import Run, WorkerInfo
from ..settings import Settings
from . import ledger, memory, records
from .database import Database
from .outbox import Transaction

log = logging.getLogger(__name__)

FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 30.0
STEADY_SECONDS = 60.0
"""A worker that lived so long starts the back-off anew."""
STOP_SECONDS = 8.0
CHECK_SECONDS = 1.0
LINE_LIMIT = 4 * 1024**2


@dataclass(eq=False)
class _Worker:
    name: str
    process: asyncio.subprocess.Process
    born: float
    status: Literal["starting", "idle", "busy", "gone"] = "starting"
    device: str = "unknown"
    run_id: str | None = None
    heartbeat_at: datetime | None = field(default=None)


class Supervisor:
    """`live` gets live events; `committed` the numbers of what workers committed. Both on the loop's thread."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        live: Callable[[dict[str, Any]], None],
        committed: Callable[[int], None],
    ) -> None:
        self._settings, self._database = settings, database
        self._live, self._committed = live, committed
        self._workers: list[_Worker] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Give up what a former life of this backend left running, then spawn the workers."""
        self._loop = asyncio.get_running_loop()
        await run_in_threadpool(self._recover)
        self._tasks = [asyncio.create_task(self._keep()) for _ in range(self._settings.workers)]
        self._tasks.append(asyncio.create_task(self._watch()))

    async def stop(self) -> None:
        """Workers end in good order: their runs are queued again and go on from the checkpoint at the next start."""
        self._stopping = True
        for worker in self._workers:
            self._tell(worker, "stop")
        for worker in list(self._workers):
            try:
                await asyncio.wait_for(worker.process.wait(), STOP_SECONDS)
            except TimeoutError:
                worker.process.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await run_in_threadpool(self._recover)

    def wake(self) -> None:
        """A run was queued, or the status of one changed. From any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake_all)

    def workers(self) -> list[WorkerInfo]:
        return [
            WorkerInfo(
                pid=worker.process.pid,
                device=worker.device,
                status=worker.status,
                run_id=worker.run_id,
                heartbeat_at=worker.heartbeat_at,
            )
            for worker in list(self._workers)
        ]

    def _wake_all(self) -> None:
        for worker in self._workers:
            self._tell(worker, "wake")

    def _tell(self, worker: _Worker, kind: str) -> None:
        stdin = worker.process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(json.dumps({"kind": kind}).encode() + b"\n")

    async def _keep(self) -> None:
        """One worker after another: at once where one made room, else with a growing pause between those that die
        young."""
        backoff = FIRST_BACKOFF
        while not self._stopping:
            worker = await self._spawn()
            await self._listen(worker)
            code = await worker.process.wait()
            worker.status = "gone"
            self._workers.remove(worker)
            await run_in_threadpool(self._give_up, worker.name, _cause(code))
            if self._stopping:
                return
            if code == 0:
                continue
            log.warning("worker ended: %s", _cause(code), extra={"pid": worker.process.pid})
            backoff = FIRST_BACKOFF if time.monotonic() - worker.born > STEADY_SECONDS else backoff
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF)

    async def _spawn(self) -> _Worker:
        name = str(ULID())
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "agent_forge",
            "worker",
            "--name",
            name,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=worker_environment(self._settings),
            limit=LINE_LIMIT,
        )
        worker = _Worker(name, process, time.monotonic())
        self._workers.append(worker)
        return worker

    async def _listen(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None  # noqa: S101 - asked for in _spawn
        async for line in worker.process.stdout:
            message = json.loads(line)
            worker.heartbeat_at = now()
            match message["kind"]:
                case "committed":
                    self._committed(message["seq"])
                case "live":
                    self._live(message["event"])
                case "ready":
                    worker.status, worker.device = "idle", message["device"]
                case "busy":
                    worker.status, worker.run_id = "busy", message["run_id"]
                case "idle":
                    worker.status, worker.run_id = "idle", None

    async def _watch(self) -> None:
        """Give up runs whose lease has run out, and end the silent worker that held them."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            silent = await run_in_threadpool(self._expire)
            for worker in self._workers:
                if worker.name in silent:
                    log.error("worker is silent: killed", extra={"pid": worker.process.pid})
                    worker.process.kill()

    def _expire(self) -> set[str]:
        clock = ledger.monotonic()
        with self._database.read() as connection:
            expired = ledger.held_runs(connection, expired_at=clock)
        if not expired:
            return set()
        with self._database.write() as tx:
            # Looked at again under the write lock: a heartbeat may have come in between.
            expired = ledger.held_runs(tx.connection, expired_at=clock)
            holders = {ledger.holder(tx.connection, run.id) for run in expired}
            for run in expired:
                self._interrupt(tx, run, "the worker gave no sign of life")
        self.wake()
        return {holder for holder in holders if holder is not None}

    def _give_up(self, worker: str, cause: str) -> None:
        with self._database.write() as tx:
            for run in ledger.held_runs(tx.connection, worker=worker):
                self._interrupt(tx, run, f"the worker ended: {cause}")

    def _recover(self) -> None:
        """No worker is alive now: whatever is held is not."""
        with self._database.write() as tx:
            for run in ledger.held_runs(tx.connection):
                self._interrupt(tx, run, "the backend ended")

    def _interrupt(self, tx: Transaction, run: Run, reason: str) -> None:
        log.warning("run interrupted: %s", reason, extra={"run_id": run.id, "trace_id": run.trace_id})
        ledger.interrupt(
            tx,
            run,
            reason=reason,
            limit=self._settings.max_fruitless_attempts,
            at_fault=True,
            log_tail=[line.message for line in records.logs_of(tx.connection, run.id, 50)],
        )


def worker_environment(settings: Settings) -> dict[str, str]:
    """The parent's settings, as it resolved them; without the token, which a worker has no use for."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("AGENT_FORGE_")}
    for name, value in settings.model_dump(mode="json", exclude={"token"}).items():
        if value is not None:
            own[f"AGENT_FORGE_{name.upper()}"] = value if isinstance(value, str) else json.dumps(value)
    if settings.threads is not None:
        own["OMP_NUM_THREADS"] = str(settings.threads)
    for name, value in memory.environment().items():
        own.setdefault(name, value)
    # A thread that spins at a barrier starves the API, the gateway and, where cores are few, the thread it waits for.
    own.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return own


def _cause(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
