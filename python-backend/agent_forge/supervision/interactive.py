"""The API's end of the interactive process: started by the first request, gone when idle, started again."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from ..background.tasks import Tasks
from ..settings import Settings
from ..store.errors import Refusal
from .supervisor import LINE_LIMIT, kill, worker_environment

log = logging.getLogger(__name__)


class InteractiveClient:
    """Requests are worked on in their order; a process that dies fails what it was asked, nothing more."""

    def __init__(self, settings: Settings, tasks: Tasks) -> None:
        self._settings, self._tasks = settings, tasks
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Queue[dict[str, Any]]] = {}
        self._starting = asyncio.Lock()
        self._next = 0
        self._closed = False

    async def ask(self, op: str, **arguments: object) -> Any:
        """Raises `Refusal`: what the process refused, `worker_unavailable` where it died or took too long."""
        async with aclosing(self._messages(op, arguments)) as messages:
            async for message in messages:
                if "result" in message:
                    return message["result"]
        raise AssertionError("messages end with a result or an error")

    async def parts(self, op: str, **arguments: object) -> AsyncIterator[Any]:
        """What is told on the way, as it comes. Who leaves early stops the process's work on it. Raises as `ask`."""
        async with aclosing(self._messages(op, arguments)) as messages:
            async for message in messages:
                if "part" in message:
                    yield message["part"]

    async def close(self) -> None:
        self._closed = True
        if self._process is not None:
            kill(self._process)
            await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def _messages(self, op: str, arguments: dict[str, object]) -> AsyncGenerator[dict[str, Any]]:
        """Up to the result. Each must come in the time that is allowed."""
        process = await self._running()
        assert process.stdin is not None  # noqa: S101 - asked for in _running
        self._next += 1
        request, answers = self._next, asyncio.Queue[dict[str, Any]]()
        self._waiting[request] = answers
        ended = False
        try:
            process.stdin.write(json.dumps({"id": request, "op": op, **arguments}).encode() + b"\n")
            await process.stdin.drain()
            while not ended:
                async with asyncio.timeout(self._settings.interactive_timeout_seconds):
                    message = await answers.get()
                ended = "part" not in message
                if "refusal" in message:
                    raise Refusal(message["refusal"]["code"], message["refusal"]["detail"])
                yield message
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Refusal("worker_unavailable", "the process for verify and predict has just ended") from error
        except TimeoutError as error:
            kill(process)
            limit = self._settings.interactive_timeout_seconds
            raise Refusal("worker_unavailable", f"{op} took more than {limit:g} seconds") from error
        finally:
            self._waiting.pop(request, None)
            if not ended and process.returncode is None and not process.stdin.is_closing():
                process.stdin.write(json.dumps({"op": "stop", "of": request}).encode() + b"\n")

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
                message = json.loads(line)
                if (answers := self._waiting.get(message["id"])) is not None:
                    answers.put_nowait(message)
        except Exception:
            kill(process)
            raise
        finally:
            code = await process.wait()
            gone = {"code": "worker_unavailable", "detail": f"the process ended with code {code}"}
            for answers in self._waiting.values():
                answers.put_nowait({"refusal": gone})
