"""A database in use is backed up, restored over another, and is another history then."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy
import pytest
from safetensors.numpy import save_file

from agent_forge.contract.model import Model, ModelFile
from agent_forge.contract.run import Run, RunStatus
from agent_forge.registry.digest import sha256_file
from agent_forge.settings import Settings
from agent_forge.store import model_rows, outbox, run_rows
from agent_forge.store.backup import back_up, restore
from agent_forge.store.data_lock import lock
from agent_forge.store.database import Database
from agent_forge.store.errors import BackupError
from agent_forge.store.integrity import quick_check

MakeRun = Callable[..., Run]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


@pytest.fixture
def opened(settings: Settings, make_run: MakeRun) -> Database:
    settings.data.mkdir()
    database = Database(settings.database)
    database.migrate()
    with database.write() as tx:
        run_rows.create(tx, make_run("r"))
    return database


def _ids(settings: Settings) -> list[str]:
    with closing(sqlite3.connect(settings.database)) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM runs ORDER BY id")]


def test_a_backup_is_the_database_as_it_was(
    settings: Settings, opened: Database, tmp_path: Path, make_run: MakeRun
) -> None:
    file = tmp_path / "a backup ü.db"
    with opened.write() as tx:
        run_rows.create(tx, make_run("uncommitted"))
        # Another's write is under way: the copy neither waits for it nor has it.
        made = back_up(settings, file)
    assert (made.runs, made.models, made.bytes) == (1, 0, file.stat().st_size)
    assert quick_check(file, seconds=100)
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name, "data"]
    epoch, last = opened.epoch, 0
    with opened.read() as connection:
        last = outbox.last_seq(connection)
    opened.close()

    done = restore(settings, file)
    assert done.aside is not None
    assert (_ids(settings), done.missing, done.differing, done.restarted) == (["r"], [], [], [])
    again = Database(settings.database)
    again.migrate()
    assert again.epoch != epoch
    with again.read() as connection:
        assert outbox.last_seq(connection) < last
    again.close()
    with closing(sqlite3.connect(done.aside)) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (2,)


def test_every_restore_is_another_epoch(settings: Settings, opened: Database, tmp_path: Path) -> None:
    back_up(settings, tmp_path / "b")
    epochs = {opened.epoch}
    opened.close()
    for _ in range(2):
        restore(settings, tmp_path / "b")
        again = Database(settings.database)
        epochs.add(again.epoch)
        again.close()
    assert len(epochs) == 3


def test_the_log_of_the_old_database_does_not_get_into_the_restored_one(
    settings: Settings, opened: Database, tmp_path: Path, make_run: MakeRun
) -> None:
    back_up(settings, tmp_path / "b")
    with opened.write() as tx:
        run_rows.create(tx, make_run("later"))
    wal = settings.database.with_name("forge.db-wal")
    kept = wal.read_bytes()
    opened.close()
    wal.write_bytes(kept)  # as after a SIGKILL
    restore(settings, tmp_path / "b")
    assert _ids(settings) == ["r"]


def test_a_running_run_of_the_backup_is_held_by_nobody_and_loses_a_checkpoint_that_is_gone(
    settings: Settings, opened: Database, tmp_path: Path, make_run: MakeRun
) -> None:
    with opened.write() as tx:
        run_rows.create(tx, make_run("s"))
        for stem in ("kept", "gone"):
            run, _ = run_rows.lease_next(tx, "w", 1, 1e9) or pytest.fail("no run")
            tx.connection.exec_driver_sql("UPDATE runs SET checkpoint = ? WHERE id = ?", (stem, run.id))
            folder = settings.checkpoints / run.id
            folder.mkdir(parents=True)
            (folder / f"{stem}.safetensors").touch()
    back_up(settings, tmp_path / "b")
    opened.close()
    (settings.checkpoints / "s" / "gone.safetensors").unlink()
    assert restore(settings, tmp_path / "b").restarted == ["s"]
    again = Database(settings.database)
    with again.read() as connection:
        assert [(r.status, holder) for r, holder, _ in run_rows.holders(connection)] == [(RunStatus.running, None)] * 2
        rows = connection.exec_driver_sql("SELECT checkpoint, running_since FROM runs ORDER BY id").all()
        assert [tuple(row) for row in rows] == [("kept", None), (None, None)]
    again.close()


def test_models_that_are_missing_or_others_are_told(
    settings: Settings, opened: Database, tmp_path: Path, make_model: Callable[..., Model]
) -> None:
    for name in ("same", "missing", "differs", "shorter"):
        path = settings.models / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file({"x": numpy.arange(100.0)}, path)
        file = ModelFile(format="safetensors", path=path.name, bytes=path.stat().st_size, file_sha256=sha256_file(path))
        with opened.write() as tx:
            model_rows.add(tx, make_model(name, files=[file]))
    back_up(settings, tmp_path / "b")
    opened.close()
    (settings.models / "missing.safetensors").unlink()
    with (settings.models / "differs.safetensors").open("r+b") as changed:
        changed.seek(-1, os.SEEK_END)
        changed.write(b"\1")
    os.truncate(settings.models / "shorter.safetensors", 100)
    done = restore(settings, tmp_path / "b")
    assert [line.split()[0] for line in done.missing] == ["missing"]
    assert sorted(line.split()[0] for line in done.differing) == ["differs", "shorter"]


def test_a_backup_replaces_no_file(settings: Settings, opened: Database, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    with pytest.raises(BackupError, match="there already"):
        back_up(settings, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "mine"
    opened.close()


def test_without_a_database_there_is_nothing_to_back_up(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no database"):
        back_up(settings, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_damaged_database_is_not_backed_up(settings: Settings, opened: Database, tmp_path: Path) -> None:
    with opened.write() as tx:
        tx.connection.exec_driver_sql("INSERT INTO meta VALUES ('x', ?)", ("x" * 10**6,))
    opened.close()
    with settings.database.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(range(256)) * 64)
    with pytest.raises((sqlite3.DatabaseError, RuntimeError)):
        back_up(settings, tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_is_no_backup_is_refused_and_nothing_is_changed(
    settings: Settings, opened: Database, tmp_path: Path
) -> None:
    opened.close()
    back_up(settings, tmp_path / "good")
    whole = (tmp_path / "good").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text").write_text("no database" * 100)
    (tmp_path / "empty").touch()
    before = settings.database.read_bytes()
    for name in ("missing", "cut", "text", "empty", "data/forge.db"):
        with pytest.raises(BackupError):
            restore(settings, tmp_path / name)
    with closing(sqlite3.connect(tmp_path / "good")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(BackupError, match="newer version"):
        restore(settings, tmp_path / "good")
    assert settings.database.read_bytes() == before
    assert [path.name for path in settings.data.iterdir() if "restor" in path.name] == []


def test_a_database_in_use_is_not_replaced(settings: Settings, opened: Database, tmp_path: Path) -> None:
    back_up(settings, tmp_path / "b")
    held = lock(settings.data)
    with pytest.raises(BackupError, match="stop Agent Forge first"):
        restore(settings, tmp_path / "b")
    os.close(held)
    opened.close()
