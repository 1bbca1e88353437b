"""A model that is arriving file by file: on disk alone, so that no kill and no restart loses what has come.

    <arriving>/<id>/arrival.json     what was asked for
    <arriving>/<id>/parts/<name>     the beginning of a file
    <arriving>/<id>/files/<name>     a file that is complete, and checked as far as it can be alone

A file's length is where the rest of it goes on. The folder `files` becomes the model's own when all is there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType

from ...contract.base import Resource, Time
from ...contract.imports import ImportFile, ImportRequest
from ..atomic import write_all, write_bytes
from ..errors import MalformedFileError, ModelFileError, OffsetError, TooLargeError
from ..files import ModelFiles
from ..foreign import HEAD_BYTES
from ..header import header_length, read_header
from . import strict_json
from .documents import Kind, kind_of, left_out, require_kind
from .linking import link

_KEPT_SECONDS = 7 * 24 * 3600
"""What nobody went on with for so long is removed at the next start."""


class _Asked(Resource):
    request: ImportRequest
    created_at: Time


class Arrival:
    """One import's folder. Its methods touch the disk: call them off the event loop."""

    def __init__(self, files: ModelFiles, import_id: str) -> None:
        """import_id: the caller's own, never a request's."""
        self._files = files
        self._root = files.arriving / import_id
        self.folder = self._root / "files"
        self._parts = self._root / "parts"

    def asked(self) -> tuple[ImportRequest, datetime] | None:
        """What was asked for, and when; None where there is no such import."""
        try:
            found = _Asked.model_validate_json((self._root / "arrival.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return found.request, found.created_at

    def ask(self, request: ImportRequest, created_at: datetime) -> None:
        """Begin, or go on with another list of files: those that came and are of the size that is now offered stay.

        Raises ModelFileError for a file without a byte that must have some.
        """
        for directory in (self._root, self.folder, self._parts):
            directory.mkdir(exist_ok=True)
        offered = self.offered(request)
        for path in [*self.folder.iterdir(), *self._parts.iterdir()]:
            whole = path.parent == self.folder
            size = offered.get(path.name, -1)
            if path.stat().st_size > size or (whole and path.stat().st_size != size):
                path.unlink()
        for name, size in offered.items():
            kind = kind_of(name)
            if size == 0 and kind is not None:
                # nothing to send, so nothing to wait for
                check_document(name, kind, b"")
                (self.folder / name).touch()
        write_bytes(
            self._root / "arrival.json", _Asked(request=request, created_at=created_at).model_dump_json().encode()
        )

    def offered(self, request: ImportRequest) -> dict[str, int]:
        """Name → bytes of the files that are taken."""
        if request.source.kind != "upload":
            return {}
        return {file.name: file.bytes for file in request.source.files if kind_of(file.name) is not None}

    def state(self, request: ImportRequest) -> list[ImportFile]:
        """Of an upload: each file that was offered, with how much of it has come."""
        if request.source.kind != "upload":
            return []
        return [
            ImportFile(
                name=file.name,
                bytes=file.bytes,
                received=0 if kind_of(file.name) is None else self.received(file.name),
                left_out=None if kind_of(file.name) is not None else left_out(file.name),
            )
            for file in request.source.files
        ]

    def received(self, name: str) -> int:
        for directory in (self.folder, self._parts):
            with contextlib.suppress(FileNotFoundError):
                return (directory / name).stat().st_size
        return 0

    def names(self) -> list[str]:
        """Of the files that are complete."""
        return sorted(path.name for path in self.folder.iterdir())

    def receive(self, name: str, size: int, offset: int, *, limit_bytes: int) -> Receiving:
        return Receiving(self._files, self.folder, self._parts, name, size, offset, limit_bytes=limit_bytes)

    def link(self, name: str, source: Path) -> None:
        """A file that lies on this machine, complete. Raises MalformedFileError, ModelFileError, OSError."""
        kind = require_kind(name, source.stat().st_size, source.stat().st_size)
        check_alone(source, name, kind)
        link(source, self.folder / name)

    def discard(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)


class Receiving:
    """One file, from `offset` on. A context manager: `write` chunks, then `finish`; what came before an error stays.

    Raises ModelFileError, TooLargeError, OffsetError, NoSpaceError, MalformedFileError, OSError.
    """

    def __init__(
        self, files: ModelFiles, folder: Path, parts: Path, name: str, size: int, offset: int, *, limit_bytes: int
    ) -> None:
        self._kind = require_kind(name, size, limit_bytes)
        self._name, self._size, self._target, self._part = name, size, folder / name, parts / name
        files.require_space(size - offset)
        self._fd = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            self._received = os.fstat(self._fd).st_size
            if offset != self._received:
                raise OffsetError(f"{name}: {self._received} bytes have come; the request goes on from {offset}")
            os.lseek(self._fd, 0, os.SEEK_END)
        except BaseException:
            os.close(self._fd)
            raise

    def __enter__(self) -> Receiving:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        if isinstance(error, MalformedFileError | ModelFileError | TooLargeError):
            # what is wrong does not become right by what follows
            self._part.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        if self._received + len(chunk) > self._size:
            raise TooLargeError(f"{self._name}: {self._size} bytes were announced, more than that came")
        write_all(self._fd, chunk)
        before, self._received = self._received, self._received + len(chunk)
        if before < HEAD_BYTES <= self._received and self._kind.format == "safetensors":
            header_length(os.pread(self._fd, HEAD_BYTES, 0), self._size)

    def finish(self) -> bool:
        """Whether the file is complete now; then it was checked, and is durable."""
        if self._received < self._size:
            return False
        check_alone(self._part, self._name, self._kind)
        os.fsync(self._fd)
        self._part.rename(self._target)
        return True


def check_alone(path: Path, name: str, kind: Kind) -> None:
    """What can be said of a file without the others. Raises MalformedFileError, ModelFileError."""
    if kind.format == "safetensors":
        read_header(path)
    elif not kind.checked_apart:
        check_document(name, kind, path.read_bytes())


def check_document(name: str, kind: Kind, data: bytes) -> None:
    """Raises ModelFileError."""
    if kind.format == "safetensors" and not data:
        raise ModelFileError(f"{name} is empty")
    if kind.format == "json":
        strict_json.parse(name, data)
    elif kind.format == "text":
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ModelFileError(f"{name} is not UTF-8: {error}") from error
        if "\0" in text:
            raise ModelFileError(f"{name} holds a NUL character: it is no text")


def remove_forgotten(files: ModelFiles, *, now: float | None = None) -> list[Path]:
    """Delete the arrivals that nobody went on with for a week. For start-up."""
    limit = (time.time() if now is None else now) - _KEPT_SECONDS
    forgotten = [
        path for path in files.arriving.iterdir()
        if max(entry.stat().st_mtime for entry in [path, *path.rglob("*")]) < limit
    ]  # fmt: skip
    for path in forgotten:
        shutil.rmtree(path, ignore_errors=True)
    return forgotten
