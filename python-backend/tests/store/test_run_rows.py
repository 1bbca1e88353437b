from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from agent_forge.contract.base import now
from agent_forge.contract.evomerge import EvoMergeSettings
from agent_forge.contract.model import Model, ModelKind
from agent_forge.contract.run import Failure, Run, RunKind, RunStatus
from agent_forge.store import model_rows, run_rows
from agent_forge.store.database import Database
from agent_forge.store.errors import Fenced
from agent_forge.store.run_rows import Lease
from agent_forge.store.schema import events
from agent_forge.store.states import Action

MakeRun = Callable[..., Run]


def _lease(database: Database, worker: str = "w1") -> tuple[Run, Lease]:
    with database.write() as tx:
        leased = run_rows.lease_next(tx, worker, 1, 10.0)
    assert leased is not None
    return leased


def _get(database: Database, run_id: str) -> Run:
    with database.read() as connection:
        run = run_rows.find(connection, run_id)
    assert run is not None
    return run


def _act(database: Database, run_id: str, *actions: Action) -> Run:
    with database.write() as tx:
        run = run_rows.find(tx.connection, run_id)
        assert run is not None
        for action in actions:
            run = run_rows.transition(tx, run, action)
    return run


def _interrupt(database: Database, run_id: str, *, at_fault: bool = True) -> Run:
    with database.write() as tx:
        run = run_rows.find(tx.connection, run_id)
        assert run is not None
        return run_rows.interrupt(tx, run, reason="killed", limit=3, at_fault=at_fault, log_tail=["the last line"])


def test_the_oldest_queued_run_is_leased_once(database: Database, make_run: MakeRun) -> None:
    with database.write() as tx:
        run_rows.create(tx, make_run("b"))
        run_rows.create(tx, make_run("a"))
    first, lease = _lease(database)
    assert (first.id, first.status, first.attempt, lease.attempt) == ("a", RunStatus.running, 1, 1)
    assert _lease(database)[0].id == "b"
    with database.write() as tx:
        assert run_rows.lease_next(tx, "w1", 1, 10.0) is None


def test_a_worker_that_was_given_up_is_fenced(database: Database, make_run: MakeRun) -> None:
    with database.write() as tx:
        run_rows.create(tx, make_run("r"))
    _, stale = _lease(database)
    assert _interrupt(database, "r").status is RunStatus.queued
    with pytest.raises(Fenced), database.write() as tx:
        run_rows.renew(tx, stale, 10.0)
    _, fresh = _lease(database)
    assert fresh.attempt == stale.attempt + 1
    with pytest.raises(Fenced), database.write() as tx:
        run_rows.renew(tx, stale, 10.0)
    with database.write() as tx:
        assert run_rows.renew(tx, fresh, 10.0) is RunStatus.running


def test_holders_are_told_with_the_end_of_their_lease(database: Database, make_run: MakeRun) -> None:
    with database.write() as tx:
        run_rows.create(tx, make_run("r"))
    with database.read() as connection:
        assert run_rows.holders(connection) == []
    _lease(database)
    with database.read() as connection:
        ((run, holder, until),) = run_rows.holders(connection)
    assert (run.id, holder) == ("r", "w1")
    assert 0 < until - run_rows.monotonic() <= 10


def test_three_starts_without_progress_fail_with_the_last_lines(database: Database, make_run: MakeRun) -> None:
    with database.write() as tx:
        run_rows.create(tx, make_run("r"))
    for attempt in (1, 2):
        _lease(database)
        assert _interrupt(database, "r").status is RunStatus.queued, attempt
    _lease(database)
    failed = _interrupt(database, "r")
    assert failed.status is RunStatus.failed
    assert failed.failure is not None
    assert failed.failure.code == "worker_lost"
    assert failed.failure.log_tail == ["the last line"]
    assert _act(database, "r", Action.retry).failure is None


@pytest.mark.parametrize("what", ["progress", "told to stop"])
def test_starts_that_are_no_failure_do_not_count(database: Database, make_run: MakeRun, what: str) -> None:
    with database.write() as tx:
        run_rows.create(tx, make_run("r"))
    for _ in range(6):
        _, lease = _lease(database)
        if what == "progress":
            with database.write() as tx:
                run_rows.fruitful(tx, lease)
        assert _interrupt(database, "r", at_fault=what == "progress").status is RunStatus.queued


@pytest.mark.parametrize("at_fault", [True, False])
def test_an_interrupted_run_shows_the_cause_until_it_is_started_again(
    database: Database, make_run: MakeRun, at_fault: bool
) -> None:
    cause = Failure(code="disk_error", message="the disk does not answer")
    with database.write() as tx:
        run_rows.create(tx, make_run("r"))
    for attempt in (1, 2, 3):
        assert _lease(database)[0].failure is None
        with database.write() as tx:
            run = run_rows.find(tx.connection, "r")
            assert run is not None
            run = run_rows.interrupt(tx, run, reason="x", limit=3, at_fault=at_fault, log_tail=[], cause=cause)
        assert run.failure == cause
        given_up = at_fault and attempt == 3
        assert run.status is (RunStatus.failed if given_up else RunStatus.queued)


@pytest.mark.parametrize(("command", "want"), [(Action.pause, RunStatus.paused), (Action.cancel, RunStatus.cancelled)])
def test_a_worker_that_dies_while_obeying_has_obeyed(
    database: Database, make_run: MakeRun, command: Action, want: RunStatus
) -> None:
    with database.write() as tx:
        run_rows.create(tx, make_run("r"))
    _lease(database)
    _act(database, "r", command)
    assert _interrupt(database, "r").status is want


def _pipeline(database: Database, make_run: MakeRun) -> None:
    with database.write() as tx:
        run_rows.create(tx, make_run("a"))
        bred = make_run("b", kind=RunKind.evomerge, depends_on="a", settings=EvoMergeSettings(generations=7))
        run_rows.create(tx, bred)


def test_a_dependent_waits_and_gets_its_parents(
    database: Database, make_run: MakeRun, make_model: Callable[..., Model]
) -> None:
    _pipeline(database, make_run)
    run, _ = _lease(database)
    assert run.id == "a"
    with database.write() as tx:
        assert run_rows.lease_next(tx, "w2", 2, 10.0) is None
        for name, kind in (("f", ModelKind.foundation), ("m2", ModelKind.specialist), ("m1", ModelKind.specialist)):
            model_rows.add(tx, make_model(name, run_id="a", kind=kind, created_at=now()))
        run = run_rows.save(tx, run.model_copy(update={"model_ids": ["f", "m2", "m1"]}), "run.updated")
        run_rows.transition(tx, run, Action.succeed)
    bred = _get(database, "b")
    assert bred.evomerge is not None
    assert (bred.evomerge.parents, bred.evomerge.generations) == (["m2", "m1"], 7)
    assert _lease(database)[0].id == "b"


def test_a_dependent_is_cancelled_with_the_run_that_it_waits_for_and_revived_with_it(
    database: Database, make_run: MakeRun
) -> None:
    _pipeline(database, make_run)
    _lease(database)
    _act(database, "a", Action.fail)
    bred = _get(database, "b")
    assert bred.status is RunStatus.cancelled
    assert bred.failure is not None
    assert bred.failure.code == run_rows.DEPENDENCY_FAILED
    _act(database, "a", Action.retry)
    assert _get(database, "b").status is RunStatus.queued


def test_every_change_is_an_event_with_the_whole_state(database: Database, make_run: MakeRun) -> None:
    with database.write() as tx:
        run_rows.create(tx, make_run("r"))
    _lease(database)
    _act(database, "r", Action.pause, Action.stopped, Action.resume)
    with database.read() as connection:
        rows = connection.execute(select(events.c.type, events.c.payload).order_by(events.c.seq)).all()
    assert [row.type for row in rows] == [
        "run.created", "run.started", "run.pausing", "run.paused", "run.resumed",
    ]  # fmt: skip
    assert Run.model_validate_json(rows[-1].payload) == _get(database, "r")


def test_busy_time_counts_only_while_held(database: Database, make_run: MakeRun) -> None:
    with database.write() as tx:
        run_rows.create(tx, make_run("r"))
    _lease(database)
    first = _act(database, "r", Action.pause, Action.stopped).busy_seconds
    assert 0 < first < 5
    assert _act(database, "r", Action.resume).busy_seconds == first
