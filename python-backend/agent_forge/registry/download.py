"""What a download needs to know of a model's file, and the cache of `.pt` files made for one."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..contract.model import Model
from .error import FileMissingError
from .files import ModelFiles, file_of

Format = Literal["safetensors", "pt"]
_KEPT_EXPORTS = 4


@dataclass(frozen=True, slots=True)
class Download:
    path: Path
    filename: str
    """For the user."""
    etag: str
    """Quoted, as the header has it: one per content."""


def download(files: ModelFiles, model: Model, file_format: Format) -> Download | None:
    """The file to send; null where it is a `.pt` that must be made first (`export`).

    Raises FileMissingError where the model's file is gone.
    """
    filename = f"{model.name}.{file_format}"
    if file_format == "safetensors":
        return Download(files.tensors(model), filename, f'"{model.digest}"')
    try:
        stored = file_of(model, "pt")
        return Download(files.path(stored), filename, f'"{stored.file_sha256}"')
    except FileMissingError:
        path = export_path(files, model)
        return Download(path, filename, f'"{path.stem}"') if path.is_file() else None


def export(files: ModelFiles, model: Model, write_pt: Callable[[Path, Path], None]) -> Path:
    """Convert the model to `.pt` in the cache (atomic; nothing is done where it is there already).

    The oldest exports make room: a download that has begun keeps its open file.
    """
    path = export_path(files, model)
    if not path.is_file():
        source = files.tensors(model)
        files.require_space(source.stat().st_size)
        write_pt(source, path)
        cached = sorted(files.exports.glob("*.pt"), key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
        for entry in cached[_KEPT_EXPORTS:]:
            entry.unlink(missing_ok=True)
    return path


def export_path(files: ModelFiles, model: Model) -> Path:
    # torch's own version is part of the name: another one may write other bytes for the same tensors
    return files.exports / f"{model.digest}-torch-{importlib.metadata.version('torch')}.pt"
