"""The API's end of the interactive process: started by the first request, gone when idle, started again."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

from ..background.tasks import Tasks
from ..settings import Settings
from ..store.errors import Refusal
from .supervisor import LINE_LIMIT, kill, worker_environment

log = logging.getLogger(__name__)


class InteractiveClient:
    """Answers come in the order of the requests; a process that dies fails what it was asked, nothing more."""

    def __init__(self, settings: Settings, tasks: Tasks) -> None:
        self._settings, self._tasks = settings, tasks
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._starting = asyncio.Lock()
        self._next = 0
        self._closed = False

    async def ask(self, op: str, **arguments: object) -> Any:
        """Raises `Refusal`: what the process refused, `worker_unavailable` where it died or took too long."""
        process = await self._running()
        assert process.stdin is not None  # noqa: S101 - asked for in _running
        self._next += 1
        request = self._next
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[request] = future
        try:
            process.stdin.write(json.dumps({"id": request, "op": op, **arguments}).encode() + b"\n")
            await process.stdin.drain()
            async with asyncio.timeout(self._settings.interactive_timeout_seconds):
                return await future
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Refusal("worker_unavailable", "the process for verify and predict has just ended") from error
        except TimeoutError as error:
            kill(process)
            limit = self._settings.interactive_timeout_seconds
            raise Refusal("worker_unavailable", f"{op} took more than {limit:g} seconds") from error
        finally:
            self._waiting.pop(request, None)

    async def close(self) -> None:
        self._closed = True
        if self._process is not None:
            kill(self._process)
            await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def _running(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._closed:
                raise Refusal("worker_unavailable", "the backend is stopping")
            if self._process is None or self._process.returncode is not None:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "agent_forge",
                    "interactive",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    env=worker_environment(self._settings),
                    limit=LINE_LIMIT,
                )
                self._reader = self._tasks.once("interactive", self._read(self._process))
            return self._process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Ends with the process. An answer that cannot be read ends the process: nobody could tell whose it was."""
        assert process.stdout is not None  # noqa: S101 - asked for in _running
        try:
            async for line in process.stdout:
                self._answer(json.loads(line))
        except Exception:
            kill(process)
            raise
        finally:
            code = await process.wait()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(Refusal("worker_unavailable", f"the process ended with code {code}"))

    def _answer(self, answer: dict[str, Any]) -> None:
        future = self._waiting.get(answer["id"])
        if future is None or future.done():
            return
        if "refusal" in answer:
            future.set_exception(Refusal(answer["refusal"]["code"], answer["refusal"]["detail"]))
        else:
            future.set_result(answer["result"])
