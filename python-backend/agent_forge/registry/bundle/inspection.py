"""A folder of files read once, end to end: is it a model, which, and what is the SHA-256 of each of its files?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...contract.architecture import Architecture
from ..architecture import recognise
from ..digest import FileHashes, digest_hashes, hash_fd, sha256_fd
from ..errors import ModelFileError
from ..finite import require_finite
from ..header import TensorSpec
from . import strict_json
from .causal_lm import causal_lm, count_parameters
from .documents import CONFIG, kind_of
from .weights import read_headers, specs_of, weight_names


@dataclass(frozen=True, slots=True)
class Inspected:
    """What `inspect` found: all that a model's row says of its files."""

    weights: dict[str, FileHashes]
    """By file, in the shards' order."""
    documents: dict[str, tuple[int, str]]
    """Name → bytes and SHA-256."""
    architecture: Architecture | None
    parameters: int
    digest: str

    @property
    def bytes(self) -> int:
        return sum(file.header.file_bytes for file in self.weights.values())

    @property
    def metadata(self) -> dict[str, str]:
        """The text in the headers of the weight files; of a key that several have, the first."""
        found: dict[str, str] = {}
        for file in reversed(self.weights.values()):
            found |= file.header.metadata
        return found


def inspect(
    folder: Path, names: Iterable[str], *, left_out: Iterable[str] = (), read: Callable[[int], None] = lambda _: None
) -> Inspected:
    """Reads the whole of every file in `names`, and makes each durable. `read`: told the bytes of each file when done.

    Raises RegistryError (IncompleteModelError, ModelFileError, MalformedFileError, …), OSError.
    """
    names = sorted(names)
    weights = weight_names(names, left_out)
    specs = specs_of(read_headers(folder, weights))
    config = _config(folder, names)
    hashed: dict[str, FileHashes] = {}
    for name in weights:
        fd = _open(folder / name)
        try:
            header_and_hashes = hash_fd(fd, sync=True)
            require_finite(fd, header_and_hashes.header)
        finally:
            os.close(fd)
        hashed[name] = header_and_hashes
        read(header_and_hashes.header.file_bytes)
    documents = {}
    for name in names:
        if name not in hashed:
            documents[name] = _document(folder, name)
            read(documents[name][0])
    return Inspected(
        weights=hashed,
        documents=documents,
        architecture=_architecture(config, specs, hashed),
        parameters=count_parameters(specs, _model_type(config)),
        digest=digest_hashes(hashed.values()),
    )


def _architecture(
    config: Mapping[str, Any] | None, specs: Mapping[str, TensorSpec], hashed: Mapping[str, FileHashes]
) -> Architecture | None:
    if config is None:
        (first, *others) = hashed.values()
        return None if others else recognise(first.header)
    sums = {name: sha for file in hashed.values() for name, sha in file.tensors.items()}
    return causal_lm(config, specs, lambda one, other: sums[one] == sums[other])


def _model_type(config: Mapping[str, Any] | None) -> str | None:
    found = (config or {}).get("model_type")
    return found if isinstance(found, str) else None


def _config(folder: Path, names: Iterable[str]) -> dict[str, Any] | None:
    return strict_json.parse(CONFIG, (folder / CONFIG).read_bytes()) if CONFIG in names else None


def _document(folder: Path, name: str) -> tuple[int, str]:
    kind = kind_of(name)
    fd = _open(folder / name)
    try:
        size = os.fstat(fd).st_size
        if kind is None or (kind.most_bytes is not None and size > kind.most_bytes):
            raise ModelFileError(f"{name} has {size} bytes, {kind.most_bytes if kind else 0} at most")
        os.fsync(fd)
        return size, sha256_fd(fd)
    finally:
        os.close(fd)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
