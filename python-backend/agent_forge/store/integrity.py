"""Whether a database file is sound, and in one line what to do where it is not."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from .errors import DatabaseDamagedError
from .faults import DATABASE_DAMAGED, store_fault

_STEPS = 100
"""Steps of SQLite's virtual machine between two looks at the clock."""


def quick_check(path: Path, *, seconds: float) -> bool:
    """Read every page, as `PRAGMA quick_check` does. False where it was not done within `seconds`.

    Raises DatabaseDamagedError, and sqlite3.Error where something other than the file's contents is wrong.
    """
    deadline = time.monotonic() + seconds
    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        try:
            found = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                return False
            if store_fault(error) is DATABASE_DAMAGED:
                raise DatabaseDamagedError(path, str(error)) from error
            raise
    if found != ["ok"]:
        raise DatabaseDamagedError(path, "; ".join(" ".join(line.split()) for line in found))
    return True
