"""Files that appear whole or not at all: temp file → fsync → rename → fsync of the directory.

A temp file is locked (flock) as long as its writer lives, so that leftovers of a crash can be told from work
in progress: the kernel drops the lock with the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMP_PREFIX = ".unfinished-"


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[int]:
    """Yield the descriptor of a new temp file, which takes the place of `path` when the block ends.

    After an exception nothing is left and `path` is as it was. With `durable=False` nothing is fsynced: for
    scratch files, which whoever moves them to their place makes durable.
    """
    temp = path.parent / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
    fd = os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
        if durable:
            os.fsync(fd)
        temp.replace(path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    if durable:
        sync_directory(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the file at `path`, atomically and durably."""
    with replacing(path) as fd:
        write_all(fd, data)


def write_all(fd: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directory(path: Path) -> None:
    """`mkdir -p` that survives a power cut: every new entry is synced in its parent."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)


def remove_leftovers(root: Path) -> list[Path]:
    """Delete the temp files below `root` whose writers are dead. For start-up."""
    removed = []
    for temp in root.rglob(f"{TEMP_PREFIX}*"):
        if temp.is_symlink() or not temp.is_file():
            continue
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(temp, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            finally:
                os.close(fd)
            temp.unlink()
            removed.append(temp)
    return removed
