"""JSON lines between the API process and its workers, over the workers' stdin and stdout."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from ..background import threads

log = logging.getLogger(__name__)


class Upward:
    """The worker's end. The process's own stdout goes to stderr, so that a stray print cannot garble the pipe."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
        sys.stdout.flush()
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        line = json.dumps(message, separators=(",", ":")) + "\n"
        try:
            with self._lock:
                self._out.write(line)
        except BrokenPipeError:
            # The parent is gone: end of file on stdin, read by another thread, ends this process.
            return


def listen(handle: Callable[[dict[str, Any]], None], ended: Callable[[], None]) -> threading.Thread:
    """Read stdin on a thread of its own: `handle` each message, then `ended` once at end of file.

    A line that is not a message is logged and skipped; where `handle` raises, the process ends.
    """

    def read() -> None:
        # The descriptor itself: a daemon thread inside sys.stdin would hold its lock when the interpreter ends.
        with open(0, "rb", buffering=0, closefd=False) as stdin:
            rest = b""
            while chunk := stdin.read(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    message = _parsed(line)
                    if message is not None:
                        handle(message)
        ended()

    return threads.start("stdin", read)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except ValueError as error:
        log.error("a line on stdin is not a message: %s, in %r", error, line[:200])
        return None
    if not isinstance(message, dict):
        log.error("a line on stdin is not a message: an object was expected, in %r", line[:200])
        return None
    return message
