"""What a download needs to know of a model's file, and the cache of `.pt` files made for one."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..contract.model import Model
from .errors import FileMissingError, SeveralFilesError
from .files import ModelFiles
from .proof import Proofs

Format = Literal["safetensors", "pt"]
_KEPT_EXPORTS = 4


@dataclass(frozen=True, slots=True)
class Download:
    path: Path
    filename: str
    """For the user."""
    etag: str
    """Quoted, as the header has it: SHA-256 of the file's bytes. Files of the same tensors may differ in their headers,
    and a range of one does not continue the other."""


def download(proofs: Proofs, model: Model, file_format: Format) -> Download | None:
    """The file to send, proved; null where it is a `.pt` that must be made first (`export`).

    Raises FileMissingError where the model's file is gone, FileDiffersError where it is another, and
    SeveralFilesError for a model in shards.
    """
    filename = f"{model.name}.{file_format}"
    shards = [file for file in model.files if file.format == "safetensors"]
    if file_format == "safetensors" and len(shards) > 1:
        raise SeveralFilesError(f"{model.name} is {len(shards)} shards: no one file of it is the model")
    stored = next((file for file in model.files if file.format == file_format), None)
    if stored is not None:
        return Download(proofs.file(model, stored), filename, f'"{stored.file_sha256}"')
    if file_format == "safetensors":
        raise FileMissingError(f"{model.name} has no stored safetensors file")
    path = export_path(proofs.files, model)
    try:
        return Download(path, filename, f'"{proofs.sha256(path)}"')
    except FileNotFoundError:
        return None


def export(files: ModelFiles, model: Model, write_pt: Callable[[Sequence[Path], Path], None]) -> Path:
    """Convert the model to `.pt` in the cache (atomic; nothing is done where it is there already).

    The oldest exports make room: a download that has begun keeps its open file.
    """
    path = export_path(files, model)
    if not path.is_file():
        sources = files.weights(model)
        files.require_space(sum(source.stat().st_size for source in sources))
        write_pt(sources, path)
        cached = sorted(files.exports.glob("*.pt"), key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
        for entry in cached[_KEPT_EXPORTS:]:
            entry.unlink(missing_ok=True)
    return path


def export_path(files: ModelFiles, model: Model) -> Path:
    # torch's own version is part of the name: another one may write other bytes for the same tensors
    return files.exports / f"{model.digest}-torch-{importlib.metadata.version('torch')}.pt"
