"""Files proved before their bytes are used: hashed once for each state that the file system shows of them.

Covers what an accident does: a file that is cut, damaged, replaced or gone. Not covered are bytes that change while
times, size and inode stay (a failing disk after the page cache was filled, a writer within one tick of its clock), and
what changes a file between its proof and its use. Whoever must know for certain verifies: that always reads it all.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ..contract.base import now
from ..contract.model import Check, Model, ModelFile, Verification
from .digest import sha256_fd
from .errors import FileDiffersError, FileMissingError
from .files import ModelFiles, file_of


@dataclass(frozen=True, slots=True)
class _State:
    """What a `stat` shows. The time of change too: `touch` and `cp -p` set the other back, but not this one."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


def _state(found: os.stat_result) -> _State:
    return _State(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Proofs:
    """Of one models directory, for one process. From several threads at once: one hashes, the others wait for it."""

    def __init__(self, files: ModelFiles) -> None:
        self.files = files
        self._known: dict[Path, tuple[_State, str]] = {}
        self._hashing: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)

    def weights(self, model: Model) -> list[Path]:
        """The model's safetensors files, which hold what its row says. Raises as `file`."""
        weights = [file for file in model.files if file.format == "safetensors"]
        return [self.file(model, file) for file in weights or [file_of(model)]]

    def file(self, model: Model, stored: ModelFile) -> Path:
        """The path of a file of the model, its bytes proved.

        Raises FileMissingError, FileDiffersError, BadNameError, OSError.
        """
        path = self.files.path(stored)
        size = path.stat().st_size
        if size != stored.bytes:
            # no need to read a file that is cut
            raise FileDiffersError(
                f"{model.name}: its {stored.format} file has {size} bytes, {stored.bytes} were registered",
                expected=f"{stored.bytes} bytes",
                found=f"{size} bytes",
            )
        found = self.sha256(path)
        if found != stored.file_sha256:
            raise FileDiffersError(
                f"{model.name}: the bytes of its {stored.format} file are not those that were registered",
                expected=stored.file_sha256,
                found=found,
            )
        return path

    def sha256(self, path: Path) -> str:
        """SHA-256 of the file's bytes, as `sha256sum` prints it; read where it is not the file that it was."""
        with self._hashing[path]:
            known = self._known.get(path)
            if known is not None and known[0] == _state(path.stat()):
                return known[1]
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                before = _state(os.fstat(fd))
                found = sha256_fd(fd)
                if _state(os.fstat(fd)) == before:
                    self._known[path] = (before, found)
            finally:
                os.close(fd)
            return found


def failed(model: Model, error: FileMissingError | FileDiffersError, seconds: float) -> Verification:
    """A proof that failed before the file's use, as a verification that somebody had asked for."""
    expected, found = (error.expected, error.found) if isinstance(error, FileDiffersError) else (model.digest, None)
    check = Check(
        name="file_digest",
        status="failed",
        expected=expected,
        found=found,
        detail=f"found before the file was used: {error}",
    )
    return Verification(subject="model", subject_id=model.id, ok=False, checks=[check], seconds=seconds, time=now())
