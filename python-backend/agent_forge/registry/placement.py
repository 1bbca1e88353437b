"""A finished safetensors file becomes a model: hashed, moved to its place, described. Free of torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ..contract.job import ModelDraft
from ..contract.model import Model, ModelFile
from ..contract.recipe import TrainingOrigin
from .architecture import check_shapes
from .atomic import replacing, write_all
from .bundle.causal_lm import count_parameters
from .digest import FileDigest, digest_fd, sha256_file
from .errors import FileMissingError, NameTakenError
from .files import ModelFiles

PtWriter = Callable[[Sequence[Path], Path], None]
"""(safetensors files, path of the .pt file to write)."""


def model_id(run_id: str | None, name: str) -> str:
    """Deterministic, so that registering twice is a no-op. Imported models have no run."""
    return "mdl_" + hashlib.sha256(f"{run_id or 'import'}\n{name}".encode()).hexdigest()[:24]


def place(
    draft: ModelDraft,
    source: Path,
    *,
    files: ModelFiles,
    run_id: str | None,
    versions: Mapping[str, str],
    time: datetime,
    write_pt: PtWriter | None = None,
) -> Model:
    """Make `source` (same file system) the file of a new model and write its metadata beside it.

    The model's row is the commit marker and comes last, from the caller; until then a repeat overwrites what
    is there, with the same bytes. Raises NameTakenError, BadNameError, MalformedFileError, FileMissingError, OSError.
    """
    identity = model_id(run_id, draft.name)
    target = files.target(draft.directory, draft.name, ".safetensors")
    description = target.with_name(f"{draft.name}_metadata.json")
    found = _hash_and_sync(source)
    refuse_others(description, identity, None if run_id else found.digest)
    if draft.architecture is not None:
        check_shapes(found.header.shapes, draft.architecture)
    stored = [
        ModelFile(
            format="safetensors",
            path=files.relative(target),
            bytes=found.header.file_bytes,
            file_sha256=found.file_sha256,
        )
    ]
    if "pt" in draft.formats:
        if write_pt is None:
            raise ValueError("a .pt file is asked for, but nothing that writes one is given")
        pt = files.target(draft.directory, draft.name, ".pt")
        write_pt([source], pt)
        stored.append(
            ModelFile(format="pt", path=files.relative(pt), bytes=pt.stat().st_size, file_sha256=sha256_file(pt))
        )
    model = Model(
        id=identity,
        name=draft.name,
        kind=draft.kind,
        run_id=run_id,
        specialization=draft.specialization,
        architecture=draft.architecture,
        parameters=count_parameters(found.header.tensors),
        bytes=found.header.file_bytes,
        digest=found.digest,
        origin=draft.origin,
        parents=draft.parents,
        files=stored,
        metrics=draft.metrics,
        versions=dict(versions),
        created_at=time,
    )
    with replacing(description) as fd:
        write_all(fd, json.dumps(metadata_of(model), indent=2, ensure_ascii=False).encode() + b"\n")
        # first of the two renames: a description never lies beside missing tensors. One directory sync does for both
        source.replace(target)
    return model


def metadata_of(model: Model) -> dict[str, Any]:
    """Contents of the metadata file: the model's row; seed, configuration and ancestry at the top level."""
    origin = model.origin
    trained = origin if isinstance(origin, TrainingOrigin) else None
    return model.model_dump(mode="json", exclude={"verified", "verified_at"}) | {
        "seed": trained.seed if trained else None,
        "config": trained.config if trained else None,
        "lineage": {"parents": model.parents, "origin": origin.model_dump(mode="json", exclude={"config"})},
    }


def read_metadata(files: ModelFiles, model: Model) -> dict[str, Any]:
    """Contents of the metadata file; made again from the row where the file is gone or unreadable."""
    try:
        contents = json.loads(files.metadata(model).read_bytes())
    except (OSError, ValueError):
        return metadata_of(model)
    return contents if isinstance(contents, dict) else metadata_of(model)


def _hash_and_sync(source: Path) -> FileDigest:
    try:
        fd = os.open(source, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise FileMissingError(f"{source.name} is not there") from error
    try:
        return digest_fd(fd, sync=True)
    finally:
        os.close(fd)


def refuse_others(description: Path, identity: str, digest: str | None) -> None:
    """A run may write its own model again, an import (`digest` given) only the very same tensors."""
    try:
        there = json.loads(description.read_bytes())
    except FileNotFoundError:
        return
    except ValueError:
        there = None
    owner = there if isinstance(there, dict) else {}
    if owner.get("id") != identity or (digest is not None and owner.get("digest") != digest):
        raise NameTakenError(f"{description.name} describes another model ({owner.get('name')})")
