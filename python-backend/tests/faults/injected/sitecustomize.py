"""Loaded by every Python process that a test starts with this folder in PYTHONPATH: what the test injects.

The product has no such hooks. `AGENT_TEST_INJECTION` is JSON:
`slow_seconds`: each fsync and each commit of a worker takes so much longer, as on a slow disk.
`forget`: a worker reads checkpoints without a part of them: the control that comparisons notice.
`points`: a folder in which the test arms a fault at one operation of one process: see `Points`.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SPECIFICATION: dict[str, Any] = json.loads(os.environ.get("AGENT_TEST_INJECTION", "{}"))
ROLE = next((role for role in ("worker", "serve") if role in sys.orig_argv and "agent_forge" in sys.orig_argv), None)
Before = Callable[[str], None]

_write, _rename = os.write, os.rename


class Points:
    """Counts what is written, synced, renamed, begun and committed; at the armed number the fault comes.

    `armed.json`: {case, role, at, kill, errno, seconds}. Each operation leaves a line in `operations`; the fault
    moves `armed.json` to `fired.json`, so that it comes once, whatever process follows. A fault other than a kill
    lasts for some seconds, as a full disk does: until then every operation of this process fails.
    """

    def __init__(self, place: Path) -> None:
        self._armed, self._fired, self._log = place / "armed.json", place / "fired.json", place / "operations"
        self._case, self._count = None, 0
        self._errno, self._until = 0, 0.0

    def __call__(self, operation: str) -> None:
        if time.monotonic() < self._until:
            self._fail(operation)
        try:
            armed = json.loads(self._armed.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return
        if armed["role"] != ROLE:
            return
        if armed["case"] != self._case:
            self._case, self._count = armed["case"], 0
        self._count += 1
        log = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        _write(log, f"{armed['case']} {self._count} {operation}\n".encode())
        os.close(log)
        if self._count < armed["at"]:
            return
        try:
            _rename(self._armed, self._fired)
        except FileNotFoundError:
            return
        if armed["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)
        self._errno, self._until = armed["errno"], time.monotonic() + armed["seconds"]
        self._fail(operation)

    def _fail(self, operation: str) -> None:
        if operation == "begin":
            raise database_error("database is locked", sqlite3.SQLITE_BUSY, "SQLITE_BUSY")
        if operation == "commit":
            if self._errno == errno.EIO:
                raise database_error("disk I/O error", sqlite3.SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE")
            raise database_error("database or disk is full", sqlite3.SQLITE_FULL, "SQLITE_FULL")
        raise OSError(self._errno, os.strerror(self._errno))


def database_error(message: str, code: int, name: str) -> sqlite3.OperationalError:
    """As SQLite's driver raises it."""
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode, error.sqlite_errorname = code, name
    return error


def slow_down(seconds: float) -> Before:
    return lambda operation: time.sleep(seconds) if operation in ("fsync", "commit") else None


def intercept(before: Before) -> None:
    """Calls `before` with each operation's name, in the place where the product calls the system."""
    fsync, replace, connect = os.fsync, os.replace, sqlite3.dbapi2.connect

    def intercepted_fsync(fd: int) -> None:
        before("fsync")
        fsync(fd)

    def intercepted_write(fd: int, data: Any) -> int:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            before("write")
        return _write(fd, data)

    def renaming(real: Any) -> Any:
        def intercepted(source: Any, target: Any, **settings: Any) -> None:
            before("rename")
            real(source, target, **settings)

        return intercepted

    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
            if statement == "BEGIN IMMEDIATE":
                before("begin")
                self.connection.writes = True
            return super().execute(statement, *parameters)

    class Connection(sqlite3.Connection):
        writes = False
        """Whether the transaction is one that writes: what only reads commits nothing."""

        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def commit(self) -> None:
            if self.writes:
                self.writes = False
                before("commit")
            super().commit()

    def intercepted_connect(*place: Any, **settings: Any) -> sqlite3.Connection:
        return connect(*place, **{**settings, "factory": Connection})

    os.fsync, os.write = intercepted_fsync, intercepted_write
    os.replace, os.rename = renaming(replace), renaming(_rename)
    sqlite3.connect = sqlite3.dbapi2.connect = intercepted_connect


def forget(part: str) -> None:
    from agent_forge.worker import checkpoint

    load = checkpoint.load

    def forgetful(*place: Any) -> Any:
        tensors, state = load(*place)
        if state.get("trainer"):
            if part == "data_order":
                state["trainer"]["steps"] = 0
            else:
                for name, tensor in tensors.items():
                    if name.split(".")[0] in ("adamw", "muon"):
                        tensor.zero_()
        return tensors, state

    checkpoint.load = forgetful


if ROLE is not None and "points" in SPECIFICATION:
    intercept(Points(Path(SPECIFICATION["points"])))
if ROLE == "worker" and "slow_seconds" in SPECIFICATION:
    intercept(slow_down(SPECIFICATION["slow_seconds"]))
if ROLE == "worker" and "forget" in SPECIFICATION:
    forget(SPECIFICATION["forget"])
