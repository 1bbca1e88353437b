"""What disk and database do to a write, named in one place: for answers, for runs, and for whoever tries again."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError


@dataclass(frozen=True)
class StoreFault:
    code: str
    hint: str
    passes: bool
    """It ends without a change of program or data: whoever owns the write tries again, and counts no failure."""


DISK_FULL = StoreFault("disk_full", "Free some disk space: what was interrupted goes on by itself.", passes=True)
DATABASE_BUSY = StoreFault(
    "database_busy", "Another program holds the database's lock. Wait, or end that program.", passes=True
)
DISK_ERROR = StoreFault("disk_error", "See the system's log for the disk, and copy the data directory.", passes=False)
DATABASE_DAMAGED = StoreFault(
    "database_damaged", "Stop, then restore a backup: `npm run restore -- <file>`.", passes=False
)
STORE_FAULTS = (DISK_FULL, DATABASE_BUSY, DISK_ERROR, DATABASE_DAMAGED)

_BY_SQLITE = {
    sqlite3.SQLITE_FULL: DISK_FULL,
    sqlite3.SQLITE_BUSY: DATABASE_BUSY,
    sqlite3.SQLITE_LOCKED: DATABASE_BUSY,
    sqlite3.SQLITE_IOERR: DISK_ERROR,
    sqlite3.SQLITE_CORRUPT: DATABASE_DAMAGED,
    sqlite3.SQLITE_NOTADB: DATABASE_DAMAGED,
}
_BY_ERRNO = {errno.ENOSPC: DISK_FULL, errno.EDQUOT: DISK_FULL, errno.EIO: DISK_ERROR}
_RUST = re.compile(r"\(os error (\d+)\)")


def store_fault(error: BaseException) -> StoreFault | None:
    """The store's fault behind the error or one of its causes; None where there is none."""
    for found in _causes(error):
        match found:
            case DBAPIError():
                fault = store_fault(found.orig) if found.orig is not None else None
            case sqlite3.Error():
                # Extended codes have the primary one in the low byte; errors of the module itself have none.
                fault = _BY_SQLITE.get((getattr(found, "sqlite_errorcode", None) or 0) & 0xFF)
            case OSError():
                fault = _BY_ERRNO.get(found.errno or 0)
            case _ if type(found).__name__ == "SafetensorError":
                # Written in Rust: the number is in the text alone.
                number = _RUST.search(str(found))
                fault = _BY_ERRNO.get(int(number[1])) if number else None
            case _:
                fault = None
        if fault is not None:
            return fault
    return None


def in_short(error: BaseException) -> str:
    """The database's own words, without the statement and its parameters."""
    return str((isinstance(error, DBAPIError) and error.orig) or error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__
