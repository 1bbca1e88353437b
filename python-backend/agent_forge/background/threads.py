"""The owner of the background threads of every process: one that ends by an exception ends its process."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h: the process ended itself because a thread of it cannot go on."""


def start(name: str, work: Callable[[], None]) -> threading.Thread:
    """A daemon thread. Where `work` raises, the reason is logged and the process ends: its parent starts another."""

    def run() -> None:
        try:
            work()
        except BaseException:
            log.critical("thread %s failed: this process ends", name, exc_info=True)
            logging.shutdown()
            os._exit(EXIT_CODE)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
