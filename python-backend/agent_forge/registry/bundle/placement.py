"""An inspected folder becomes a model: moved to its place whole, described. Free of torch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from ...contract.job import ModelDraft
from ...contract.model import Model, ModelFile, Tokenizer
from ..atomic import make_directory, replacing, sync_directory, write_all
from ..errors import FileMissingError, NameTakenError
from ..files import ModelFiles
from ..placement import metadata_of, model_id, refuse_others
from .documents import kind_of
from .inspection import Inspected


def place_folder(
    draft: ModelDraft,
    folder: Path,
    found: Inspected,
    *,
    files: ModelFiles,
    run_id: str | None,
    tokenizer: Tokenizer | None,
    versions: Mapping[str, str],
    time: datetime,
) -> Model:
    """Make `folder` (same file system), which holds what `found` says and nothing else, the folder of a new model.

    The model's row is the commit marker and comes last, from the caller, who knows that no row has this place: what a
    crash left there is replaced. Raises NameTakenError, BadNameError, OSError.
    """
    relative = f"{draft.directory}/{draft.name}"
    target = files.inside(relative)
    make_directory(target.parent)
    description = files.inside(f"{relative}_metadata.json")
    identity = model_id(run_id, draft.name)
    refuse_others(description, identity, None if run_id else found.digest)
    if files.inside(f"{relative}.safetensors").exists():
        raise NameTakenError(f"{relative}.safetensors is another model's")
    model = Model(
        id=identity,
        name=draft.name,
        kind=draft.kind,
        run_id=run_id,
        specialization=draft.specialization,
        architecture=draft.architecture,
        parameters=found.parameters,
        bytes=found.bytes,
        digest=found.digest,
        origin=draft.origin,
        parents=draft.parents,
        files=_manifest(relative, found),
        folder=relative,
        tokenizer=tokenizer,
        metrics=draft.metrics,
        versions=dict(versions),
        created_at=time,
    )
    described = metadata_of(model) | {"file_metadata": found.metadata}
    with replacing(description) as fd:
        write_all(fd, json.dumps(described, indent=2, ensure_ascii=False).encode() + b"\n")
        # first of the two renames: a description never lies beside missing tensors
        sync_directory(folder)
        if folder != target:
            if target.is_dir():
                shutil.rmtree(target)
            folder.rename(target)
    return model


def _manifest(relative: str, found: Inspected) -> list[ModelFile]:
    weights = [
        ModelFile(
            format="safetensors",
            path=f"{relative}/{name}",
            bytes=file.header.file_bytes,
            file_sha256=file.file_sha256,
        )
        for name, file in found.weights.items()
    ]
    documents = [
        ModelFile(format=kind.format, path=f"{relative}/{name}", bytes=size, file_sha256=sha256)
        for name, (size, sha256) in found.documents.items()
        if (kind := kind_of(name)) is not None
    ]
    return weights + documents


def described(files: ModelFiles, relative: str) -> Model:
    """The model that the description beside a folder tells of. Raises FileMissingError where there is none."""
    try:
        return Model.model_validate_json(files.inside(f"{relative}_metadata.json").read_bytes())
    except (FileNotFoundError, ValueError) as error:
        raise FileMissingError(f"{relative} has no description: bring the model again") from error
