"""A back-up of the database in one file, and the way back. Models' files are not in it: their digests are."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.util.exc import CommandError
from sqlalchemy.exc import DBAPIError

from .. import __version__
from ..contract.base import now
from ..contract.model import Model
from ..registry.atomic import sync_directory
from ..registry.digest import sha256_file
from ..registry.errors import RegistryError
from ..registry.files import ModelFiles
from ..settings import Settings
from .data_lock import lock
from .database import Database
from .errors import BackupError, DatabaseDamagedError, DataDirectoryInUseError
from .faults import store_fault
from .integrity import quick_check
from .outbox import rfc3339

_MANIFEST = "CREATE TABLE backup(key TEXT PRIMARY KEY, value TEXT NOT NULL)"


@dataclass(frozen=True)
class Backup:
    runs: int
    models: int
    bytes: int
    created_at: str


@dataclass(frozen=True)
class Restored:
    backup: Backup
    aside: Path | None
    """Where the former database lies now."""
    restarted: list[str]
    """Runs whose checkpoint is gone: they start from the beginning, and keep what they have recorded."""
    missing: list[str]
    differing: list[str]
    """Models of the back-up whose file on disk is missing, or differs."""


def back_up(settings: Settings, target: Path) -> Backup:
    """Copy the database as it is at one instant, while it is in use, to a new file."""
    if not settings.database.is_file():
        raise BackupError(f"there is no database at {settings.database}")
    if target.exists():
        raise BackupError(f"{target} is there already: name another file")
    part = target.with_name(f".{target.name}.part-{secrets.token_hex(4)}")
    created = rfc3339(now())
    with _removed_after(part):
        with closing(sqlite3.connect(settings.database)) as source, closing(sqlite3.connect(part)) as copy:
            # In one step: a copy in several starts over whenever a run writes in between.
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
            with copy:
                copy.execute(_MANIFEST)
                manifest = [("created_at", created), ("version", __version__)]
                copy.executemany("INSERT INTO backup VALUES (?, ?)", manifest)
        quick_check(part, seconds=float("inf"))
        written = _inspect(part)
        _sync(part)
        try:
            os.link(part, target)  # unlike a rename, it replaces nothing
        except FileExistsError as error:
            raise BackupError(f"{target} is there already: name another file") from error
        sync_directory(target.parent)
    return written


def restore(settings: Settings, source: Path) -> Restored:
    """Put the back-up in the place of the present database, which is moved aside.

    The restored database is another history: it gets an epoch of its own, so that whoever followed the old one starts
    from its beginning instead of waiting for numbers that mean something else now.
    """
    if not source.is_file():
        raise BackupError(f"there is no file {source}")
    try:
        quick_check(source, seconds=float("inf"))
    except DatabaseDamagedError as error:
        raise BackupError(f"{source} is not a sound back-up: {error.__cause__ or error}") from error
    backup = _inspect(source)
    try:
        held = lock(settings.data)
    except DataDirectoryInUseError as error:
        raise BackupError(f"{settings.data} is in use: stop Agent Forge first") from error
    try:
        part = settings.data / "forge.db.restoring"
        with _removed_after(part):
            restarted = _prepare(source, part, settings)
            aside = _move_aside(settings.database)
            part.rename(settings.database)
            sync_directory(settings.data)
        missing, differing = _compare(settings)
        return Restored(backup, aside, restarted, missing, differing)
    finally:
        os.close(held)


def _inspect(path: Path) -> Backup:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            manifest = dict(connection.execute("SELECT key, value FROM backup"))
            (runs,) = connection.execute("SELECT count(*) FROM runs").fetchone()
            (models,) = connection.execute("SELECT count(*) FROM models").fetchone()
        except sqlite3.OperationalError as error:
            raise BackupError(f"{path} is a database, but no back-up of Agent Forge: {error}") from error
    return Backup(runs, models, path.stat().st_size, manifest["created_at"])


def _prepare(source: Path, part: Path, settings: Settings) -> list[str]:
    """The back-up as a database of this program; returns the runs that have lost their checkpoint."""
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as backup, closing(sqlite3.connect(part)) as copy:
        backup.backup(copy)
    database = Database(part)
    try:
        database.migrate()
        with database.write() as tx:
            run = tx.connection.exec_driver_sql
            run("DROP TABLE backup")
            run("UPDATE meta SET value = ? WHERE key = 'epoch'", (secrets.token_hex(16),))
            # These belong to a former process, perhaps to another machine's clock.
            run("UPDATE runs SET worker = NULL, lease_until = NULL, running_since = NULL")
            lost = [
                run_id
                for run_id, stem in run("SELECT id, checkpoint FROM runs WHERE checkpoint IS NOT NULL").all()
                if not (settings.checkpoints / run_id / f"{stem}.safetensors").is_file()
            ]
            for run_id in lost:
                run("UPDATE runs SET checkpoint = NULL WHERE id = ?", (run_id,))
            unfinished = run("SELECT id FROM runs WHERE status NOT IN ('succeeded', 'failed', 'cancelled')")
            return sorted(set(lost) & set(unfinished.scalars()))
    except CommandError as error:
        raise BackupError(f"{source} was made by a newer version of Agent Forge: {error}") from error
    except DBAPIError as error:
        fault = store_fault(error)
        raise BackupError(f"{fault.code}: {fault.hint}" if fault else str(error.orig)) from error
    finally:
        database.close()
        _sync(part)


def _move_aside(database: Path) -> Path | None:
    """The log first: beside another database it would be taken for that one's."""
    stamp = now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
    aside = database.with_name(f"{database.name}.before-restore-{stamp}")
    for suffix in ("-wal", "-shm"):
        log = database.with_name(database.name + suffix)
        if log.exists():
            log.rename(f"{aside}{suffix}")
    if not database.exists():
        return None
    os.link(database, aside)
    return aside


def _compare(settings: Settings) -> tuple[list[str], list[str]]:
    """Models whose files are not there, and those whose files differ from what the back-up knows of them."""
    files = ModelFiles(settings.models, settings.disk_reserve_bytes)
    missing, differing = [], []
    with closing(sqlite3.connect(settings.database)) as connection:
        for (body,) in connection.execute("SELECT body FROM models ORDER BY created_at, id"):
            model = Model.model_validate_json(body)
            for file in model.files:
                told = f"{model.id} {file.path} ({model.digest})"
                try:
                    path = files.path(file)
                except RegistryError:
                    missing.append(told)
                    continue
                if path.stat().st_size != file.bytes or sha256_file(path) != file.file_sha256:
                    differing.append(told)
    return missing, differing


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _removed_after(part: Path) -> Iterator[None]:
    part.unlink(missing_ok=True)
    try:
        yield
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)
