"""Keeps the workers alive, in the API process: spawn, listen, give up the dead and the silent, respawn."""

from __future__ import annotations

import asyncio
import contextlib
import functools
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

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from ulid import ULID

from ..background.backoff import STEADY_SECONDS, WORKER_START, Backoff
from ..background.tasks import Tasks
from ..contract.base import now
from ..contract.run import Run
from ..contract.system import ClusterNode, WorkerInfo
from ..settings import Settings
from ..store import result_rows, run_rows
from ..store.database import Database
from ..store.faults import in_short
from ..store.outbox import Transaction
from ..worker import memory, messages
from ..worker.errors import MalformedMessage

log = logging.getLogger(__name__)

STOP_SECONDS = 8.0
CHECK_SECONDS = 1.0
LINE_LIMIT = 4 * 1024**2
LEASES = "leases"
"""Name of the task that watches them."""


@dataclass(eq=False)
class _Worker:
    name: str
    task: str
    process: asyncio.subprocess.Process
    born: float
    heard: float
    """Monotonic time of the last line."""
    status: Literal["starting", "idle", "busy", "gone"] = "starting"
    device: str = "unknown"
    run_id: str | None = None
    heartbeat_at: datetime | None = None
    worked: bool = False
    nodes: list[ClusterNode] = field(default_factory=list)


class Supervisor:
    """`live` gets live events; `committed` the numbers of what workers committed. Both on the loop's thread.

    Which runs are held by nobody is found by looking, not by remembering who died: a look that fails, for whatever
    reason, is made good by the next.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        tasks: Tasks,
        *,
        live: Callable[[dict[str, Any]], None],
        committed: Callable[[int], None],
    ) -> None:
        self._settings, self._database, self._tasks = settings, database, tasks
        self._live, self._committed = live, committed
        self._workers: list[_Worker] = []
        self._living: set[str] = set()
        """Names of the workers that may hold a run: from before the start of the process to its end."""
        self._causes: dict[str, str] = {}
        """Why those ended that may still be named by a run."""
        self._look = asyncio.Event()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Give up what a former life of this backend left running, and spawn the workers."""
        self._loop = asyncio.get_running_loop()
        self._tasks.repeat(LEASES, self._watch)
        for number in range(1, self._settings.workers + 1):
            task, backoff = f"worker {number}", Backoff(WORKER_START)
            self._tasks.repeat(task, functools.partial(self._one_life, task, backoff))

    async def stop(self) -> None:
        """Workers end in good order: their runs are queued again and go on from the checkpoint at the next start."""
        self._stopping = True
        for worker in self._workers:
            self._tell(worker, "stop")
        for worker in list(self._workers):
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await worker.process.wait()
            except TimeoutError:
                kill(worker.process)
        self._living.clear()
        try:
            await run_in_threadpool(self._give_up, set())
        except DBAPIError as error:
            log.warning("runs are still marked as running, which the next start mends: %s", in_short(error))

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

    def nodes(self) -> list[ClusterNode]:
        """Of the cluster, with what all workers have there."""
        found: dict[str, ClusterNode] = {}
        for one in (node for worker in list(self._workers) for node in worker.nodes):
            other = found.get(one.id)
            children = sorted([*one.children, *(other.children if other is not None else [])])
            status = "busy" if children else one.status
            found[one.id] = one.model_copy(update={"children": children, "status": status})
        return list(found.values())

    def alive(self) -> int:
        """Workers that can take a run or have one, and were heard of lately."""
        since = time.monotonic() - self._settings.lease_seconds
        return sum(worker.status in ("idle", "busy") and worker.heard > since for worker in list(self._workers))

    def faults(self) -> list[str]:
        return [f"{task}: {error}" for task, error in sorted(self._tasks.faults().items())]

    def _wake_all(self) -> None:
        for worker in self._workers:
            self._tell(worker, "wake")

    def _tell(self, worker: _Worker, kind: str) -> None:
        stdin = worker.process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(json.dumps({"kind": kind}).encode() + b"\n")

    async def _one_life(self, task: str, backoff: Backoff) -> None:
        """From the start of a worker to its end, and a growing pause after one that died young or did nothing."""
        if self._stopping:
            await asyncio.Event().wait()  # until cancelled: no worker follows
        name = str(ULID())
        self._living.add(name)
        worker: _Worker | None = None
        try:
            worker = await self._spawn(name, task)
            await self._listen(worker)
        except BaseException:
            # Nobody would hear it any more.
            if worker is not None:
                kill(worker.process)
            raise
        finally:
            cause = "it did not start"
            if worker is not None:
                cause = _cause(await _ended(worker.process))
                worker.status = "gone"
                self._workers.remove(worker)
            self._causes[name] = cause
            self._living.discard(name)
            self._look.set()
        if self._stopping or (worker.process.returncode == 0 and worker.worked):
            return
        log.warning("worker ended: %s", cause, extra={"pid": worker.process.pid})
        if time.monotonic() - worker.born > STEADY_SECONDS:
            backoff.reset()
        await asyncio.sleep(backoff.next())

    async def _spawn(self, name: str, task: str) -> _Worker:
        process = await asyncio.create_subprocess_exec(
            *worker_command(name),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=worker_environment(self._settings),
            limit=LINE_LIMIT,
        )
        worker = _Worker(name, task, process, time.monotonic(), time.monotonic())
        self._workers.append(worker)
        return worker

    async def _listen(self, worker: _Worker) -> None:
        """Until its stdout ends. A line that is not a message is logged and skipped: it is one worker's fault, once."""
        assert worker.process.stdout is not None  # noqa: S101 - asked for in _spawn
        while True:
            try:
                line = await worker.process.stdout.readline()
            except ValueError:
                log.error("a line of more than %d bytes is skipped", LINE_LIMIT, extra={"pid": worker.process.pid})
                continue
            if not line:
                return
            try:
                message = messages.read(line)
            except MalformedMessage as error:
                log.error("a malformed line is skipped: %s", error, extra={"pid": worker.process.pid})
                continue
            worker.heard, worker.heartbeat_at = time.monotonic(), now()
            match message:
                case messages.Committed():
                    self._committed(message.seq)
                case messages.Live():
                    self._live(message.event.model_dump(mode="json"))
                case messages.Ready():
                    worker.status, worker.device = "idle", message.device
                    self._tasks.recovered(worker.task)
                case messages.Busy():
                    worker.status, worker.run_id, worker.worked = "busy", message.run_id, True
                case messages.Idle():
                    worker.status, worker.run_id = "idle", None
                case messages.Nodes():
                    worker.nodes = message.nodes
                case messages.Heartbeat():
                    pass

    async def _watch(self) -> None:
        """Give up the runs that nobody works on, and end the silent workers that held some of them."""
        self._look.clear()
        # A worker that speaks but cannot renew its lease waits for the database as everybody does, and is left alone.
        silence = time.monotonic() - self._settings.lease_seconds
        silent = {worker.name for worker in self._workers if worker.heard < silence}
        given_up = await run_in_threadpool(self._give_up, self._living - silent)
        self._tasks.recovered(LEASES)
        for worker in self._workers:
            if worker.name in given_up:
                log.error("worker is silent: killed", extra={"pid": worker.process.pid})
                kill(worker.process)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CHECK_SECONDS):
                await self._look.wait()

    def _give_up(self, speaking: set[str]) -> set[str]:
        """Interrupt each run whose worker has ended, and each whose lease has run out while its worker was silent.
        Returns the holders."""
        told = set(self._causes)
        with self._database.read() as connection:
            lost = self._lost(connection, speaking)
        if not lost:
            self._forget(told)
            return set()
        with self._database.write() as tx:
            # Looked at again under the write lock: a heartbeat may have come in between.
            lost = self._lost(tx.connection, speaking)
            reasons = [(run, self._interrupt(tx, run, holder)) for run, holder in lost]
        for run, reason in reasons:
            log.warning("run interrupted: %s", reason, extra={"run_id": run.id, "trace_id": run.trace_id})
        self._forget(told)
        self.wake()
        return {holder for _, holder in lost if holder is not None}

    def _forget(self, workers: set[str]) -> None:
        for name in workers:
            self._causes.pop(name, None)

    def _lost(self, connection: Connection, speaking: set[str]) -> list[tuple[Run, str | None]]:
        held, clock = run_rows.holders(connection), run_rows.monotonic()
        return [
            (run, holder)
            for run, holder, lease_until in held
            if holder not in self._living or (holder not in speaking and lease_until < clock)
        ]

    def _interrupt(self, tx: Transaction, run: Run, holder: str | None) -> str:
        if holder in self._living:
            reason = "the worker gave no sign of life"
        elif holder in self._causes:
            reason = f"the worker ended: {self._causes[holder]}"
        else:
            reason = "the backend ended"
        run_rows.interrupt(
            tx,
            run,
            reason=reason,
            limit=self._settings.max_fruitless_attempts,
            at_fault=True,
            log_tail=[line.message for line in result_rows.logs_of(tx.connection, run.id, 50)],
        )
        return reason


async def _ended(process: asyncio.subprocess.Process) -> int:
    """The exit code of a worker that nobody listens to any more."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            return await process.wait()
    except TimeoutError:
        kill(process)
        return await process.wait()


def kill(process: asyncio.subprocess.Process) -> None:
    """The process may have ended already, noticed or not."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def worker_command(name: str) -> list[str]:
    return [sys.executable, "-m", "agent_forge", "worker", "--name", name]


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
