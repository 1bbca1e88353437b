"""What runs on a node: one child, its items as they are made, and what it logs meanwhile."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from ...versions import versions
from ..errors import OtherNode
from .interrupts import held_back
from .models import Placed, tensors_of

log = logging.getLogger(__name__)

ALIKE = ("agent_forge", "code", "torch")
"""Versions in which a node must agree with the backend: with others it would make other bytes."""


@dataclass(frozen=True)
class Order:
    """How children of one run are worked on."""

    expected: Mapping[str, str]
    """Versions of the backend."""
    threads: int
    placed: Mapping[str, Placed]
    context: bytes
    """Pickled: (make, description)."""


@dataclass(frozen=True)
class Sent:
    """One thing that reaches the backend."""

    node: str
    """Ray's id of the node."""
    item: Any


@dataclass(frozen=True)
class Began:
    at: float
    """Seconds since the epoch, by the node's clock."""


@dataclass(frozen=True)
class Said:
    level: str
    """`info`, `warning`, `error` or `critical`."""
    message: str


@dataclass(frozen=True)
class Gave:
    item: Any
    """Of the task."""


@dataclass(frozen=True)
class Ended:
    seconds: float
    """For which the child had its place."""


_contexts: dict[str, Any] = {}
"""Of the newest run alone: each holds views on its models."""


def work(key: str, order: Order, asked: bytes) -> Generator[Sent]:
    """A streaming task. key: names the order. asked: pickled (task, child).

    Raises OtherNode, and what the task raises.
    """
    node, begin = ray.get_runtime_context().get_node_id(), time.perf_counter()
    yield Sent(node, Began(time.time()))
    with _heard() as said:
        with held_back():
            context = _context(key, order)
            task, child = ray.cloudpickle.loads(asked)
        for item in task(context, child):
            yield from (Sent(node, one) for one in _taken(said))
            yield Sent(node, Gave(item))
        yield from (Sent(node, one) for one in _taken(said))
    yield Sent(node, Ended(time.perf_counter() - begin))


def facts(marker: Path) -> dict[str, Any]:
    """Of the node that this runs on. marker: a file that it sees where it shares the models directory."""
    import torch

    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "host": platform.node(),
        "versions": versions(),
        "devices": devices or [_processor()],
        "cores": os.cpu_count() or 1,
        "files_shared": marker.is_file(),
    }


def _context(key: str, order: Order) -> Any:
    if key in _contexts:
        return _contexts[key]
    begin = time.perf_counter()
    own = versions()
    for name in ALIKE:
        if own[name] != order.expected[name]:
            raise OtherNode(f"{platform.node()} has {name} {own[name]}, the backend {order.expected[name]}: update it")
    import torch

    torch.set_num_threads(order.threads)
    make, description = ray.cloudpickle.loads(order.context)
    _contexts.clear()
    context = make(description, {name: tensors_of(placed) for name, placed in order.placed.items()})
    _contexts[key] = context
    log.info("%s takes part: ready after %.1f s", platform.node(), time.perf_counter() - begin)
    return context


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.said: list[Said] = []

    def emit(self, record: logging.LogRecord) -> None:
        level = (
            "error" if record.levelno >= logging.ERROR else "warning" if record.levelno >= logging.WARNING else "info"
        )
        self.said.append(Said(level, record.getMessage()))


@contextmanager
def _heard() -> Iterator[list[Said]]:
    """What this program logs on the node, and warnings."""
    ear = _Ear()
    logging.captureWarnings(True)
    loggers = [logging.getLogger(name) for name in ("agent_forge", "py.warnings")]
    for one in loggers:
        one.setLevel(logging.INFO)
        one.addHandler(ear)
    try:
        yield ear.said
    finally:
        for one in loggers:
            one.removeHandler(ear)


def _taken(said: list[Said]) -> list[Said]:
    taken, said[:] = said[:], []
    return taken
