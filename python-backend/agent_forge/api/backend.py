"""Everything that lives as long as the server: database, workers, services."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool

from ..registry.files import ModelFiles
from ..runs.database import Database
from ..runs.feed import Feed
from ..runs.interactive_client import InteractiveClient
from ..runs.model_service import ModelService
from ..runs.proving import Proving
from ..runs.run_service import RunService
from ..runs.supervisor import Supervisor
from ..runs.tasks import Tasks
from ..settings import Settings
from .services import Services


class DataDirectoryInUseError(RuntimeError):
    """Two backends on one directory would give up each other's workers."""


class Backend:
    """Opens the data directory at once, so that what is wrong with it is an error at boot."""

    def __init__(self, settings: Settings, fatal: Callable[[str], None]) -> None:
        settings.data.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(settings.data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataDirectoryInUseError(f"another backend uses {settings.data}") from error
        files = ModelFiles(settings.models)
        files.clean()
        self._database = Database(
            settings.database,
            on_commit=lambda seq: self.feed.committed(seq),
            busy_seconds=settings.database_busy_seconds,
        )
        self.feed = Feed(self._database)
        self._database.migrate()
        self._tasks = Tasks(fatal)
        self._supervisor = Supervisor(
            settings, self._database, self._tasks, live=self.feed.live, committed=self.feed.committed
        )
        self._interactive = InteractiveClient(settings, self._tasks)
        proving = Proving(files, self._database)
        self.services = Services(
            runs=RunService(settings, self._database, proving, self._supervisor),
            models=ModelService(settings, self._database, files, proving, self._interactive),
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
