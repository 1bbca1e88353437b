"""Everything that lives as long as the server: database, workers, services."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable

from alembic.util.exc import CommandError
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool

from ..background.tasks import Tasks
from ..registry.bundle.arrival import remove_forgotten
from ..registry.files import ModelFiles
from ..service.feed import Feed
from ..service.imports import ImportService
from ..service.merges import MergeService
from ..service.models import ModelService
from ..service.runs import RunService
from ..settings import Settings
from ..store.data_lock import lock
from ..store.database import Database
from ..store.errors import CannotOpenError
from ..store.faults import in_short, store_fault
from ..store.integrity import quick_check
from ..store.proving import Proving
from ..supervision.interactive import InteractiveClient
from ..supervision.supervisor import Supervisor
from .services import Services

log = logging.getLogger(__name__)

CHECK_SECONDS = 20.0
"""The longest that the check of the database may delay a start."""


class Backend:
    """Opens the data directory at once, so that what is wrong with it is an error at boot."""

    def __init__(self, settings: Settings, fatal: Callable[[str], None]) -> None:
        self._lock = lock(settings.data)
        files = ModelFiles(settings.models, settings.disk_reserve_bytes)
        files.clean()
        remove_forgotten(files)
        self._database = Database(
            settings.database,
            on_commit=lambda seq: self.feed.committed(seq),
            busy_seconds=settings.database_busy_seconds,
        )
        self.feed = Feed(self._database)
        _prepare(self._database, settings)
        self._tasks = Tasks(fatal)
        self._supervisor = Supervisor(
            settings, self._database, self._tasks, live=self.feed.live, committed=self.feed.committed
        )
        self._interactive = InteractiveClient(settings, self._tasks)
        proving = Proving(files, self._database)
        self.services = Services(
            runs=RunService(settings, self._database, files, proving, self._supervisor),
            merges=MergeService(settings, self._database, files, proving, self._supervisor),
            models=ModelService(settings, self._database, files, proving, self._interactive),
            imports=ImportService(settings, self._database, files, self._interactive, self._tasks),
            events=self.feed,
        )

    async def start(self) -> None:
        self.feed.start(asyncio.get_running_loop())
        await self._supervisor.start()

    async def stop(self) -> None:
        """Streams end, workers stop in good order, the directory is free."""
        self.feed.close()
        await self._supervisor.stop()
        await self._interactive.close()
        await self._tasks.close()
        await run_in_threadpool(self._database.close)
        os.close(self._lock)


def _prepare(database: Database, settings: Settings) -> None:
    """Check the file, then bring its schema up to date. Raises DatabaseDamagedError, CannotOpenError."""
    path = settings.database
    try:
        if path.exists() and not quick_check(path, seconds=CHECK_SECONDS):
            log.warning("%s: too large to be checked within %g s; not checked further", path, CHECK_SECONDS)
        database.migrate()
    except CommandError as error:
        raise CannotOpenError(f"the database {path} was made by a newer version of this program: {error}") from error
    except (DBAPIError, sqlite3.Error) as error:
        fault = store_fault(error)
        reason = f"{fault.code}. {fault.hint}" if fault is not None else in_short(error)
        raise CannotOpenError(f"the database {path} cannot be opened: {reason}") from error
