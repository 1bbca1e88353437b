"""Models whose weights are drawn straight into their files, all cores busy from the first byte to the last."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from torch import Tensor

from ..contract.architecture import Architecture
from ..contract.job import ModelDraft
from ..contract.model import Model
from .store import drawing

Draw = Callable[[str, Tensor], None]
"""(tensor's name, zeros in float32): fill in place. Called from several threads, in no fixed order."""


def create(
    plans: Iterable[tuple[ModelDraft, Architecture, Draw]],
    *,
    scratch: Path,
    register: Callable[[ModelDraft, Path], Model],
) -> Iterator[Model]:
    """Draw, then register, one model after another; the next is drawn while the last is hashed and synced.

    `register` is `Job.register_file` or `store` with its arguments bound, and runs on the caller's thread.
    `scratch` must be on the models' file system. Closing the iterator early stops after the drawing under way.
    """
    paths = (scratch / f"drawn-{number}.safetensors" for number in count())
    with ThreadPoolExecutor(1) as ahead:
        pending = None
        for draft, architecture, draw in plans:
            path = next(paths)
            drawn = ahead.submit(draw_file, path, architecture, draw)
            if pending is not None:
                yield register(*pending)
            drawn.result()
            pending = (draft, path)
        if pending is not None:
            yield register(*pending)


def draw_file(path: Path, architecture: Architecture, draw: Draw) -> None:
    """Write a new model's file (not synced: see `store.drawing`), each tensor filled by `draw`, in parallel.

    Deterministic where `draw` is a function of the name alone.
    """
    with drawing(path, architecture) as views, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        largest_first = sorted(views, key=lambda name: -views[name].numel())
        for done in [pool.submit(draw, name, views[name]) for name in largest_first]:
            done.result()
