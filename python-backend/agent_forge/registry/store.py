"""Tensors become a model: the worker's way into the registry."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from torch import Tensor

from ..contract.architecture import TinyTitan, tensor_shapes
from ..contract.job import ModelDraft
from ..contract.model import Model
from ..contract.recipe import MergeOrigin
from . import placement, tensors
from .architecture import file_metadata
from .bundle.bred import store_folder
from .bundle.view import TensorView
from .files import ModelFiles
from .header import float32


def store(
    draft: ModelDraft,
    source: Path | Mapping[str, Tensor],
    *,
    files: ModelFiles,
    run_id: str | None,
    versions: Mapping[str, str],
    time: datetime,
) -> Model:
    """Write, hash, sync and describe a model's files; the row is the caller's, last.

    `source` is either the tensors, or a finished safetensors file on the models' file system, which is moved; where the
    draft names documents, a folder of such files.
    A function of its arguments: a repeat writes the same bytes and gives the same model.
    Raises NameTakenError, BadNameError, WrongShapeError, MalformedFileError, OSError (disk full); then no scratch
    file is left.
    """
    if draft.documents is not None:
        return store_folder(draft, source, files=files, run_id=run_id, versions=versions, time=time)
    path = source if isinstance(source, Path) else files.scratch / f"{secrets.token_hex(8)}.safetensors"
    try:
        if not isinstance(source, Path):
            recipe = draft.origin.recipe if isinstance(draft.origin, MergeOrigin) else None
            tensors.write_tensors(path, source, file_metadata(draft.architecture, recipe), durable=False)
        return placement.place(
            draft, path, files=files, run_id=run_id, versions=versions, time=time, write_pt=convert_to_pt
        )
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


@contextmanager
def drawing(path: Path, architecture: TinyTitan) -> Iterator[dict[str, Tensor]]:
    """Yield the float32 tensors of a new model, all zero, to be filled in place; then the file is at `path`.

    `path` must be in the scratch directory: hand it to `store`, which makes it durable.
    """
    with tensors.mapped_file(
        path, float32(tensor_shapes(architecture)), file_metadata(architecture), durable=False
    ) as views:
        yield views


def convert_to_pt(sources: Sequence[Path], target: Path) -> None:
    """Write the tensors of a model's safetensors files by `torch.save`."""
    tensors.write_pt(target, TensorView(sources))
