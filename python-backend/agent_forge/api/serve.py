"""The server process: one ready line on stdout, then requests until told to stop."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Callable

import uvicorn

from .. import logs
from ..background import threads
from ..execution.cluster.address import require
from ..settings import Settings
from .app import create_backend

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5
FATAL_SECONDS = 20.0
"""For an orderly end once a background task cannot go on; after that the process just ends."""
FAILED_TO_START, CANNOT_GO_ON = 3, 70


class _Server(uvicorn.Server):
    """Tells when it is ready, and ends the endless streams before it waits for the open requests."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready, self._stopping = ready, stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)


def serve(settings: Settings, *, exit_on_stdin_eof: bool) -> int:
    """Blocks until a signal, or until stdin ends where asked for. Returns the exit code.

    Raises NoCluster where runs are to be worked on by a cluster, and there is none.
    """
    logs.configure("api", settings.log_level)
    if settings.executor == "ray":
        require(settings.ray_address)
    failed = threading.Event()

    def fatal(reason: str) -> None:
        log.critical("this process ends, for its parent to start it again: %s", reason)
        failed.set()
        server.should_exit = True
        deadline = threading.Timer(FATAL_SECONDS, lambda: os._exit(CANNOT_GO_ON))
        deadline.daemon = True
        deadline.start()

    app, backend = create_backend(settings, fatal)
    listener = _listen(settings.host, settings.port)
    port: int = listener.getsockname()[1]
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=75,
        server_header=False,
        lifespan="on",
    )

    def ready() -> None:
        print(json.dumps({"ready": True, "port": port, "pid": os.getpid()}), flush=True)  # noqa: T201 - the protocol

    server = _Server(config, ready, backend.feed.close)
    if exit_on_stdin_eof:
        threads.start("stdin", lambda: _wait_for_end(server))
    server.run(sockets=[listener])
    if failed.is_set():
        return CANNOT_GO_ON
    return 0 if server.started else FAILED_TO_START


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.set_inheritable(False)
    return listener


def _wait_for_end(server: uvicorn.Server) -> None:
    while os.read(0, 4096):
        pass
    server.should_exit = True
