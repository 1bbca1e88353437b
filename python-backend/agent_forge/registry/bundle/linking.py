"""Folders that lie on this machine already: found below the roots that the settings name, linked rather than copied."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadNameError, ModelFileError
from .documents import kind_of, left_out, require_kind

_FICLONE = 0x40049409
"""Linux's request for a copy that shares its blocks until one of the two changes (Btrfs, XFS)."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a folder."""

    name: str
    path: Path
    bytes: int
    left_out: str | None


def folder_below(text: str, roots: Sequence[Path]) -> tuple[Path, Path]:
    """The folder that a request names, and the root that it lies below. Raises BadNameError."""
    for root in roots:
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            real = root.resolve(strict=True)
            folder = (real / text).resolve(strict=True)
            if folder.is_dir() and folder.is_relative_to(real):
                return folder, real
    named = ", ".join(map(str, roots)) or "which names none"
    raise BadNameError(f"{text[:200]!r} is no folder below AGENT_FORGE_MODEL_ROOTS ({named})")


def files_of(folder: Path, root: Path, *, limit_bytes: int) -> list[Found]:
    """The folder's own entries, by name. Links may lead to elsewhere below the root, as those of the hub's cache do.

    Raises ModelFileError for one that leads out or is no file, TooLargeError, OSError.
    """
    found = []
    for entry in sorted(folder.iterdir()):
        if kind_of(entry.name) is None:
            name = f"{entry.name}/" if entry.is_dir() else entry.name
            found.append(Found(entry.name, entry, 0, left_out(name)))
            continue
        real = entry.resolve()
        if not real.is_relative_to(root) or not real.is_file():
            raise ModelFileError(f"{entry.name} is no file below {root}")
        size = real.stat().st_size
        require_kind(entry.name, size, limit_bytes)
        found.append(Found(entry.name, real, size, None))
    return found


def link(source: Path, target: Path) -> None:
    """Make `target` hold what `source` holds: by shared blocks, by a second name, or by a copy, whichever can be.

    A second name shares what is written to the first: the proof of a model finds that, as it finds any damage.
    Raises OSError; then there is no `target`.
    """
    if _clone(source, target):
        return
    try:
        os.link(source, target)
    except OSError:
        # another file system, or one without hard links
        try:
            shutil.copyfile(source, target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _clone(source: Path, target: Path) -> bool:
    with source.open("rb") as old, target.open("xb") as new:
        try:
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
        except OSError:
            pass
        else:
            return True
    target.unlink()
    return False
