"""Checkpoints: tensors as safetensors and state as JSON, made whole by the rename and current by the row."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_STATE_KEY = "state"


def save(directory: Path, stem: str, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write `<stem>.safetensors`, the state in its header; on disk, name included, when this returns.

    One file and one rename: tensors and state cannot come from different steps.
    """
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    part = directory / f"{stem}.part"
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, part, metadata={_STATE_KEY: json.dumps(state)})
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.rename(directory / f"{stem}.safetensors")
    _sync_directory(directory)


def load(directory: Path, stem: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Raises OSError or SafetensorError where the file is gone or damaged."""
    from safetensors import safe_open

    with safe_open(directory / f"{stem}.safetensors", framework="pt") as file:
        metadata = file.metadata()
        # Copies: the file is deleted once the next checkpoint is in place.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - not iterable itself
        return tensors, json.loads(metadata[_STATE_KEY])


def discard_others(directory: Path, stem: str | None) -> None:
    """Delete every checkpoint of the run but the current one, leftovers of dead attempts included."""
    if directory.is_dir():
        for path in directory.iterdir():
            if stem is None or path.name != f"{stem}.safetensors":
                path.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
