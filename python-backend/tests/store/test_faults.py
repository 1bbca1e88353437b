"""Each fault as the system really raises it."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import SafetensorError
from sqlalchemy import text

from agent_forge.api.problem import KINDS
from agent_forge.store.database import Database
from agent_forge.store.faults import (
    DATABASE_BUSY,
    DATABASE_DAMAGED,
    DISK_ERROR,
    DISK_FULL,
    STORE_FAULTS,
    StoreFault,
    store_fault,
)


def _full_database(path: Path) -> None:
    database = Database(path / "forge.db")
    database.migrate()
    with database.write() as tx:
        tx.connection.exec_driver_sql("PRAGMA max_page_count=1")
        tx.connection.execute(text("INSERT INTO meta VALUES ('x', :blob)"), {"blob": "x" * 10**6})


def _locked_database(path: Path) -> None:
    database = Database(path / "forge.db", busy_seconds=0.05)
    database.migrate()
    other = sqlite3.connect(path / "forge.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        database.set_meta("x", "y")
    finally:
        other.close()


def _garbage(path: Path) -> None:
    (path / "forge.db").write_bytes(b"garbage" * 1000)
    Database(path / "forge.db").migrate()


def _full_device(path: Path) -> None:
    with Path("/dev/full").open("wb") as file:
        file.write(b"x")


def _full_device_by_rust(path: Path) -> None:
    raise SafetensorError(f"Error while serializing: I/O error: {os.strerror(errno.ENOSPC)} (os error {errno.ENOSPC})")


def _quota(path: Path) -> None:
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


def _broken_disk(path: Path) -> None:
    raise RuntimeError("while writing") from OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize(
    ("do", "want"),
    [
        (_full_database, DISK_FULL),
        (_full_device, DISK_FULL),
        (_full_device_by_rust, DISK_FULL),
        (_quota, DISK_FULL),
        (_locked_database, DATABASE_BUSY),
        (_broken_disk, DISK_ERROR),
        (_garbage, DATABASE_DAMAGED),
    ],
)
def test_a_fault_is_named(tmp_path: Path, do: Callable[[Path], None], want: StoreFault) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each library has its own
        do(tmp_path)
    assert store_fault(caught.value) is want


@pytest.mark.parametrize("error", [ValueError("no"), OSError(errno.ENOENT, "no"), sqlite3.IntegrityError("no")])
def test_other_errors_are_none(error: Exception) -> None:
    assert store_fault(error) is None


def test_every_fault_has_an_answer_and_a_hint() -> None:
    for fault in STORE_FAULTS:
        assert KINDS[fault.code].hint == fault.hint
        assert KINDS[fault.code].status >= 500
