"""The owner of the API process's background tasks. None ends unnoticed: what fails is logged and tried again, and
what cannot go on ends the process, whose parent starts it again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ..store.faults import in_short, store_fault
from .backoff import STEADY_SECONDS, TASK, Backoff

log = logging.getLogger(__name__)

FAILURES = 6
"""In a row, after which a task cannot go on. A full disk or a locked database passes, and never counts."""


class Tasks:
    """`fatal` is called at most once, with the reason, where a task cannot go on: it has to end the process."""

    def __init__(self, fatal: Callable[[str], None]) -> None:
        self._fatal = fatal
        self._tasks: set[asyncio.Task[None]] = set()
        self._faults: dict[str, str] = {}
        self._ended = False

    def repeat(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """Await `step` again and again. One that returns is a success; one that raises is tried again after a while."""
        self._start(name, self._repeat(name, step))

    def once(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that ends by itself. Its own `finally` tells those who wait for it; an exception is logged here."""
        return self._start(name, self._once(name, work))

    def recovered(self, name: str) -> None:
        """A long step of the task is under way and does its work: what failed before is no fault of the present."""
        self._faults.pop(name, None)

    def faults(self) -> dict[str, str]:
        """What fails at present: name of the task, and code or type of the newest error."""
        return dict(self._faults)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _repeat(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        backoff, counted = Backoff(TASK), 0
        while True:
            began = time.monotonic()
            try:
                await step()
            except Exception as error:
                if time.monotonic() - began > STEADY_SECONDS:
                    backoff.reset()
                    counted = 0
                fault = store_fault(error)
                if fault is None or not fault.passes:
                    counted += 1
                self._faults[name] = fault.code if fault else type(error).__name__
                if counted >= FAILURES:
                    log.critical("background task %s: %d failures in a row", name, counted, exc_info=error)
                    self._end(f"background task {name} cannot go on: {type(error).__name__}: {error}")
                    return
                wait = backoff.next()
                if counted:
                    log.error("background task %s failed; again in %.1f s", name, wait, exc_info=error)
                else:
                    log.error("background task %s waits: %s; again in %.1f s", name, in_short(error), wait)
                await asyncio.sleep(wait)
            else:
                backoff.reset()
                counted = 0
                self._faults.pop(name, None)

    async def _once(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            log.exception("background task %s failed", name)

    def _end(self, reason: str) -> None:
        if not self._ended:
            self._ended = True
            self._fatal(reason)
