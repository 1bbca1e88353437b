"""A run at its beginning: queued, with nothing done."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection
from ulid import ULID

from ..contract.base import now
from ..contract.run import Progress, Run, RunKind, RunStatus
from ..store import run_rows
from ..store.errors import Refusal
from ..versions import versions


def new_run(kind: RunKind, name: Callable[[str], str], progress: Progress, trace_id: str | None) -> Run:
    """name: from the run's id."""
    run_id, created = str(ULID()), now()
    return Run(
        id=run_id,
        kind=kind,
        name=name(run_id),
        status=RunStatus.queued,
        pipeline_id=None,
        depends_on=None,
        attempt=0,
        cognate=None,
        evomerge=None,
        settings=None,
        progress=progress,
        model_ids=[],
        champion_id=None,
        champion_model_id=None,
        champion_fitness=None,
        failure=None,
        worker_pid=None,
        device=None,
        versions=versions(),
        trace_id=trace_id,
        created_at=created,
        started_at=None,
        finished_at=None,
        updated_at=created,
        busy_seconds=0.0,
    )


def found(connection: Connection, run_id: str) -> Run:
    run = run_rows.find(connection, run_id)
    if run is None:
        raise Refusal("not_found", f"there is no run {run_id}")
    return run
