"""Rows of runs: read, create, lease, and every change of state with its event."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, insert, select, update
from sqlalchemy.orm import aliased

from ..contract.base import now
from ..contract.evomerge import EvoMergeConfig
from ..contract.model import ModelKind
from ..contract.run import Failure, Run, RunStatus
from .errors import Fenced
from .outbox import Transaction
from .schema import models, runs
from .states import ENDED, HELD, Action, step

DEPENDENCY_FAILED = "dependency_failed"


@dataclass(frozen=True)
class Lease:
    """A worker's right to write to a run, valid while `attempt` is the run's newest."""

    run_id: str
    attempt: int
    worker: str


def monotonic() -> float:
    """Seconds of the machine's monotonic clock, the same in every process."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def parse(body: str) -> Run:
    return Run.model_validate_json(body)


def find(connection: Connection, run_id: str) -> Run | None:
    body = connection.scalar(select(runs.c.body).where(runs.c.id == run_id))
    return parse(body) if body is not None else None


def create(tx: Transaction, run: Run) -> None:
    tx.connection.execute(
        insert(runs).values(
            id=run.id,
            kind=run.kind,
            status=run.status,
            pipeline_id=run.pipeline_id,
            depends_on=run.depends_on,
            attempt=run.attempt,
            fruitless=0,
            run_seq=0,
            body=run.model_dump_json(),
            timings="{}",
            report="{}",
        )
    )
    tx.append("run.created", run, run.id)


def save(tx: Transaction, run: Run, event: str, **columns: object) -> Run:
    """Store the run's whole state, with the event that reports it."""
    run = run.model_copy(update={"updated_at": now()})
    tx.connection.execute(
        update(runs)
        .where(runs.c.id == run.id)
        .values(status=run.status, attempt=run.attempt, body=run.model_dump_json(), **columns)
    )
    tx.append(event, run, run.id)
    return run


def transition(tx: Transaction, run: Run, action: Action, failure: Failure | None = None) -> Run:
    """Apply one action of the state machine, with all that follows from it. Raises `IllegalTransition`."""
    status, event = step(run.status, action)
    changes: dict[str, Any] = {"status": status}
    columns: dict[str, Any] = {}
    if run.status in HELD and status not in HELD:
        since = tx.connection.execute(select(runs.c.running_since).where(runs.c.id == run.id)).scalar_one()
        # A reboot restarts the monotonic clock: then nothing is added.
        changes["busy_seconds"] = run.busy_seconds + (max(0.0, monotonic() - since) if since is not None else 0.0)
        changes["worker_pid"] = None
        changes["progress"] = run.progress.model_copy(update={"eta_seconds": None})
        columns |= {"worker": None, "lease_until": None, "running_since": None}
    if status in ENDED:
        changes["finished_at"] = now()
    if status in ENDED or failure is not None or action in (Action.start, Action.retry):
        changes["failure"] = failure
    if action is Action.retry:
        changes["finished_at"] = None
        columns["fruitless"] = 0
    run = save(tx, run.model_copy(update=changes), event, **columns)
    if status is RunStatus.succeeded:
        _supply_dependents(tx, run)
    elif status in ENDED:
        _cancel_dependents(tx, run)
    if action is Action.retry:
        _revive_dependents(tx, run)
    return run


def _dependents(connection: Connection, run_id: str) -> list[Run]:
    return [
        parse(body) for body in connection.execute(select(runs.c.body).where(runs.c.depends_on == run_id)).scalars()
    ]


def specialists_of(connection: Connection, run_id: str) -> list[str]:
    """Ids of the models that a cognate run offers as parents, in the order in which they were made."""
    rows = connection.execute(
        select(models.c.id)
        .where(models.c.run_id == run_id, models.c.kind == ModelKind.specialist)
        .order_by(models.c.created_at, models.c.id)
    )
    return list(rows.scalars())


def _supply_dependents(tx: Transaction, run: Run) -> None:
    """A pipeline's second run gets its parents in the transaction in which the first one succeeds."""
    made = set(specialists_of(tx.connection, run.id))
    parents = [model_id for model_id in run.model_ids if model_id in made]
    for dependent in _dependents(tx.connection, run.id):
        if dependent.settings is not None and dependent.status not in ENDED:
            config = EvoMergeConfig(parents=parents, **dependent.settings.model_dump())
            save(tx, dependent.model_copy(update={"evomerge": config}), "run.updated")


def _cancel_dependents(tx: Transaction, run: Run) -> None:
    failure = Failure(
        code=DEPENDENCY_FAILED,
        message=f"the run that it waits for, {run.id}, is {run.status}",
        hint="Retry that run; this one is then queued again.",
    )
    for dependent in _dependents(tx.connection, run.id):
        if dependent.status not in ENDED:
            transition(tx, dependent, Action.cancel, failure)


def _revive_dependents(tx: Transaction, run: Run) -> None:
    for dependent in _dependents(tx.connection, run.id):
        if dependent.failure is not None and dependent.failure.code == DEPENDENCY_FAILED:
            transition(tx, dependent, Action.retry)


def _waiting(*columns: ColumnElement[Any]) -> Select[Any]:
    """`columns` of the runs that wait for a worker, and for nothing else."""
    waited = aliased(runs)
    return (
        select(*columns)
        .outerjoin(waited, waited.c.id == runs.c.depends_on)
        .where(runs.c.status == RunStatus.queued)
        .where((runs.c.depends_on.is_(None)) | (waited.c.status == RunStatus.succeeded))
    )


def oldest_queued(connection: Connection) -> datetime | None:
    """Since when the first of the runs that wait for a worker has waited."""
    since: str | None = connection.scalar(_waiting(func.min(func.json_extract(runs.c.body, "$.updated_at"))))
    return datetime.fromisoformat(since) if since is not None else None


def lease_next(tx: Transaction, worker: str, pid: int, seconds: float, **changes: object) -> tuple[Run, Lease] | None:
    """Start the oldest run that is queued and waits for nothing. `changes` describe the worker in the run."""
    row = tx.connection.execute(_waiting(runs.c.body, runs.c.fruitless).order_by(runs.c.id).limit(1)).one_or_none()
    if row is None:
        return None
    run = parse(row.body)
    clock = monotonic()
    tx.connection.execute(
        update(runs)
        .where(runs.c.id == run.id)
        .values(worker=worker, lease_until=clock + seconds, running_since=clock, fruitless=row.fruitless + 1)
    )
    run = run.model_copy(
        update={
            "attempt": run.attempt + 1,
            "worker_pid": pid,
            "started_at": run.started_at or now(),
            **changes,
        }
    )
    run = transition(tx, run, Action.start)
    return run, Lease(run.id, run.attempt, worker)


def held(connection: Connection, lease: Lease) -> Run:
    """The run as this worker may change it. Raises `Fenced` where it no longer may."""
    row = connection.execute(
        select(runs.c.body, runs.c.status, runs.c.attempt, runs.c.worker).where(runs.c.id == lease.run_id)
    ).one_or_none()
    if row is None or row.attempt != lease.attempt or row.worker != lease.worker or RunStatus(row.status) not in HELD:
        raise Fenced(f"attempt {lease.attempt} no longer holds run {lease.run_id}")
    return parse(row.body)


def renew(tx: Transaction, lease: Lease, seconds: float) -> RunStatus:
    """Extend the lease: the heartbeat. Raises `Fenced`."""
    status = held(tx.connection, lease).status
    tx.connection.execute(update(runs).where(runs.c.id == lease.run_id).values(lease_until=monotonic() + seconds))
    return status


def fruitful(tx: Transaction, lease: Lease) -> None:
    """This attempt has made something durable: fruitless starts are counted from 0 again."""
    tx.connection.execute(update(runs).where(runs.c.id == lease.run_id).values(fruitless=0))


def interrupt(
    tx: Transaction,
    run: Run,
    *,
    reason: str,
    limit: int,
    at_fault: bool,
    log_tail: Sequence[str],
    cause: Failure | None = None,
) -> Run:
    """The run's worker is gone, or cannot go on: queue it again, or fail it after `limit` starts without progress.

    `at_fault` is false where the worker was told to stop, or waits for what passes: that start does not count.
    `cause` is what the run shows until it is started again.
    """
    run = transition(tx, run, Action.interrupt, cause)
    if run.status is not RunStatus.interrupted:
        return run
    fruitless: int = tx.connection.execute(select(runs.c.fruitless).where(runs.c.id == run.id)).scalar_one()
    if not at_fault:
        fruitless = max(0, fruitless - 1)
        tx.connection.execute(update(runs).where(runs.c.id == run.id).values(fruitless=fruitless))
    if fruitless < limit:
        return transition(tx, run, Action.requeue)
    failure = cause or Failure(
        code="worker_lost",
        message=f"{reason}; {fruitless} starts in a row without progress",
        hint="See the log lines; memory is the usual cause. A retry continues from the last checkpoint.",
        log_tail=list(log_tail),
    )
    return transition(tx, run, Action.exhaust, failure)


def holders(connection: Connection) -> list[tuple[Run, str | None, float]]:
    """Runs in the hands of a worker, each with the worker's name and the end of its lease."""
    columns = select(runs.c.body, runs.c.worker, runs.c.lease_until).where(runs.c.status.in_(HELD))
    return [(parse(row.body), row.worker, row.lease_until or 0.0) for row in connection.execute(columns)]


def add_timing(tx: Transaction, run_id: str, parts: dict[str, float]) -> None:
    stored = read_json(tx.connection, run_id, "timings")
    for part, seconds in parts.items():
        stored[part] = stored.get(part, 0.0) + seconds
    tx.connection.execute(update(runs).where(runs.c.id == run_id).values(timings=json.dumps(stored)))


def merge_report(tx: Transaction, run_id: str, part: dict[str, Any]) -> None:
    stored = read_json(tx.connection, run_id, "report") | part
    tx.connection.execute(update(runs).where(runs.c.id == run_id).values(report=json.dumps(stored)))


def read_json(connection: Connection, run_id: str, column: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(
        connection.execute(select(runs.c[column]).where(runs.c.id == run_id)).scalar_one()
    )
    return value
