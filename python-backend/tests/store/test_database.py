from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import select, text

from agent_forge.contract.base import now
from agent_forge.contract.run import LogLine, Run
from agent_forge.store import outbox, result_rows, run_rows
from agent_forge.store.database import Database
from agent_forge.store.schema import events, metadata


def test_the_migrations_make_the_declared_schema(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    epoch = database.epoch
    database.migrate()
    assert database.epoch == epoch


def test_each_database_is_another_epoch(database: Database, tmp_path: Path) -> None:
    other = Database(tmp_path / "other.db")
    other.migrate()
    assert other.epoch != database.epoch
    other.close()


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.write() as tx:
        tx.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CommandError, match="9999"):
        database.migrate()


def test_every_commit_is_synced(database: Database) -> None:
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_transaction_that_fails_gives_no_number_away(database: Database, make_run: Callable[..., Run]) -> None:
    with database.write() as tx:
        run_rows.create(tx, make_run("r1"))

    def fail() -> None:
        with database.write() as tx:
            run_rows.create(tx, make_run("r2"))
            raise RuntimeError("the machine stops here")

    with pytest.raises(RuntimeError, match="stops here"):
        fail()
    with database.write() as tx:
        run_rows.create(tx, make_run("r3"))
    with database.read() as connection:
        rows = connection.execute(select(events.c.seq, events.c.run_id).order_by(events.c.seq)).all()
    assert [tuple(row) for row in rows] == [(1, "r1"), (2, "r3")]


def test_a_commit_is_told_once_with_the_newest_number(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    told: list[int] = []
    database = Database(tmp_path / "told.db", on_commit=told.append)
    database.migrate()
    with database.write() as tx:
        run_rows.create(tx, make_run("r1"))
        run_rows.create(tx, make_run("r2"))
    database.set_meta("nothing", "to tell")
    assert told == [2]
    database.close()


def _write_lines(path: Path, run_id: str, count: int) -> None:
    database = Database(path)
    for number in range(count):
        with database.write() as tx:
            result_rows.add_log(tx, LogLine(run_id=run_id, time=now(), level="info", message=str(number)))
    database.close()


def test_numbers_have_no_gaps_under_concurrent_processes(
    database: Database, tmp_path: Path, make_run: Callable[..., Run]
) -> None:
    run_ids = [f"r{i}" for i in range(3)]
    with database.write() as tx:
        for run_id in run_ids:
            run_rows.create(tx, make_run(run_id))
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write_lines, args=(tmp_path / "forge.db", run_id, 15)) for run_id in run_ids]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    with database.read() as connection:
        rows = connection.execute(select(events.c.seq, events.c.run_id, events.c.run_seq).order_by(events.c.seq)).all()
        assert outbox.last_seq(connection) == len(rows)
    assert [row.seq for row in rows] == list(range(1, 3 + 3 * 15 + 1))
    for run_id in run_ids:
        assert [row.run_seq for row in rows if row.run_id == run_id] == list(range(1, 17))
