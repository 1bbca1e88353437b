"""On PYTHONPATH, every process's SQLite meets SQLITE_FULL while the file named by FULL_DISK exists: its databases
may not grow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

_FLAG = Path(os.environ["FULL_DISK"])
_NO_LIMIT = 2**32 - 2


@event.listens_for(Engine, "checkout")
def _limit(connection: Any, *_: object) -> None:
    limit = 1 if _FLAG.exists() else _NO_LIMIT  # SQLite takes the present size where that is more
    connection.execute(f"PRAGMA max_page_count={limit}")
