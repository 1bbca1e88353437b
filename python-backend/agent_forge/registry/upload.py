"""Users bring their own: a safetensors file, checked while it streams in."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType

from ..contract.job import ModelDraft
from ..contract.model import Model, ModelKind
from ..contract.recipe import ImportOrigin, MergeOrigin, Recipe
from . import placement
from .architecture import named_recipe, recognise
from .atomic import write_all
from .errors import Defect, MalformedFileError, TooLargeError
from .files import ModelFiles
from .finite import require_finite
from .foreign import HEAD_BYTES
from .header import Header, header_length, parse_header

DIRECTORY = "imported"


class Upload:
    """One upload. Use as a context manager: `write` chunks, then `finish`; otherwise nothing is left.

    `write` refuses at the first byte that is wrong: the header as soon as it is there, then everything beyond
    what it describes. `finish` reads the file twice (finite numbers, digests): call it off the event loop.
    """

    def __init__(self, files: ModelFiles, name: str, *, limit_bytes: int) -> None:
        files.inside(f"{DIRECTORY}/{name}.safetensors")
        self._files = files
        self._name = name
        self._limit = limit_bytes
        self._path = files.scratch / f"{secrets.token_hex(8)}.safetensors"
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        self._head = bytearray()
        self._header: Header | None = None
        self.received = 0

    def __enter__(self) -> Upload:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        """Raises TooLargeError, MalformedFileError, NoSpaceError, OSError."""
        self.received += len(chunk)
        if self.received > self._limit:
            raise TooLargeError(f"the upload is larger than the limit of {self._limit} bytes")
        if self._header is None:
            self._head += chunk
            self._header = self._read_header()
        elif self.received > self._header.file_bytes:
            raise MalformedFileError(
                Defect.wrong_length, f"the header describes {self._header.file_bytes} bytes, more than that came"
            )
        write_all(self._fd, chunk)

    @property
    def recipe(self) -> Recipe | None:
        """What the file says that it was made of, once its header is there."""
        return named_recipe(self._header) if self._header is not None else None

    def finish(
        self, *, versions: Mapping[str, str], time: datetime, recipe: Recipe | None = None, parents: Sequence[str] = ()
    ) -> Model:
        """The imported model; its row is the caller's. Raises as `placement.place` and `write`.

        recipe: what it was made of, by models that are known here; parents: those of them that are registered.
        """
        if self._header is None:
            header_length(bytes(self._head[:HEAD_BYTES]), self.received)
            raise MalformedFileError(Defect.too_short, f"{self.received} bytes came, not even a whole header")
        if self.received != self._header.file_bytes:
            raise MalformedFileError(
                Defect.wrong_length,
                f"the header describes {self._header.file_bytes} bytes, {self.received} came",
            )
        require_finite(self._fd, self._header)
        draft = ModelDraft(
            name=self._name,
            directory=DIRECTORY,
            kind=ModelKind.imported,
            specialization=None,
            architecture=recognise(self._header),
            origin=ImportOrigin(filename=f"{self._name}.safetensors") if recipe is None else MergeOrigin(recipe=recipe),
            parents=list(parents),
            metrics={},
        )
        return placement.place(draft, self._path, files=self._files, run_id=None, versions=versions, time=time)

    def _read_header(self) -> Header | None:
        if len(self._head) < 8:
            return None
        try:
            length = header_length(bytes(self._head[:HEAD_BYTES]))
        except MalformedFileError:
            if len(self._head) < HEAD_BYTES:
                # not a safetensors file: a little more of it shows what it is instead
                return None
            raise
        if len(self._head) < 8 + length:
            return None
        header = parse_header(bytes(self._head[8 : 8 + length]))
        if header.file_bytes > self._limit:
            raise TooLargeError(f"the file has {header.file_bytes} bytes, the limit is {self._limit}")
        if self.received > header.file_bytes:
            raise MalformedFileError(
                Defect.wrong_length, f"the header describes {header.file_bytes} bytes, more than that came"
            )
        self._files.require_space(header.file_bytes)
        self._head.clear()
        return header
