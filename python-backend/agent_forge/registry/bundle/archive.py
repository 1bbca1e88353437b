"""A model's folder as one zip, made while it is sent: nothing is written to disk, and no file is whole in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

_CHUNK = 1 << 20
_MADE = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip can tell: the same folder gives the same bytes."""


class _Outgoing(io.RawIOBase):
    """What the archive has written and nobody has taken. It cannot be sought in, so sizes follow their files."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._bytes += data
        return len(data)

    def taken(self) -> bytes:
        taken, self._bytes = bytes(self._bytes), bytearray()
        return taken


def zipped(name: str, paths: Sequence[Path]) -> Iterator[bytes]:
    """The files, uncompressed (weights do not get smaller), in a folder of this name. Raises OSError."""
    outgoing = _Outgoing()
    with zipfile.ZipFile(outgoing, "w", zipfile.ZIP_STORED) as archive:
        for path in paths:
            entry = zipfile.ZipInfo(f"{name}/{path.name}", _MADE)
            entry.external_attr = 0o644 << 16
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                    yield outgoing.taken()
    yield outgoing.taken()
