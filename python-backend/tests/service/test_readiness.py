from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from agent_forge.contract.base import now
from agent_forge.contract.run import Run, RunStatus
from agent_forge.service.readiness import readiness
from agent_forge.store import run_rows
from agent_forge.store.database import Database

SECONDS = 10.0


@pytest.mark.parametrize(
    ("alive", "wanted", "faults", "lease", "want"),
    [
        (1, 1, [], None, "ready"),
        (2, 1, [], None, "ready"),
        (0, 0, [], None, "ready"),
        (1, 1, [], SECONDS, "ready"),
        (1, 1, [], 1.0, "ready"),
        (1, 1, [], -1.0, "degraded"),
        (1, 2, [], None, "degraded"),
        (1, 1, ["leases: database_busy"], None, "degraded"),
    ],
)
def test_ready_means_that_a_run_would_be_worked_on(
    database: Database,
    make_run: Callable[..., Run],
    alive: int,
    wanted: int,
    faults: list[str],
    lease: float | None,
    want: str,
) -> None:
    """`lease`: seconds that are left of one."""
    if lease is not None:
        with database.write() as tx:
            run_rows.create(tx, make_run("r"))
            run_rows.lease_next(tx, "w", 1, lease)
    with database.read() as connection:
        found = readiness(connection, alive=alive, wanted=wanted, faults=faults, lease_seconds=SECONDS)
    assert (found.status, found.workers_alive, found.workers_wanted, found.faults) == (want, alive, wanted, faults)
    if lease is None:
        assert found.oldest_lease_seconds is None
    else:
        assert found.oldest_lease_seconds is not None
        assert SECONDS - lease <= found.oldest_lease_seconds < SECONDS - lease + 5


def test_only_runs_that_wait_for_nothing_else_have_waited_for_a_worker(
    database: Database, make_run: Callable[..., Run]
) -> None:
    def waited() -> float | None:
        with database.read() as connection:
            return readiness(connection, alive=1, wanted=1, faults=[], lease_seconds=1).oldest_queued_seconds

    long_ago = now() - timedelta(hours=1)
    with database.write() as tx:
        run_rows.create(tx, make_run("a", status=RunStatus.paused, updated_at=long_ago))
        run_rows.create(tx, make_run("b", depends_on="a", updated_at=long_ago))
    assert waited() is None
    with database.write() as tx:
        run_rows.create(tx, make_run("c", updated_at=now() - timedelta(seconds=90)))
        run_rows.create(tx, make_run("d"))
    assert 90 <= (waited() or 0.0) < 120
