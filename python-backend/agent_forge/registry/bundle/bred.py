"""A model that was bred or merged becomes a folder: its tensors, the documents of the model whose config and tokenizer
it has, a model card and its recipe."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping
from datetime import datetime

from torch import Tensor

from ...contract.job import ModelDraft
from ...contract.model import Model
from ...contract.recipe import MergeOrigin
from ..atomic import write_bytes
from ..files import ModelFiles
from ..tensors import digest_tensors, write_tensors
from .card import card
from .documents import ADAPTER_CONFIG, INDEX, SINGLE, kind_of
from .inspection import inspect
from .placement import place_folder

CARD, RECIPE = "README.md", "recipe.json"
_NOT_ITS_OWN = (ADAPTER_CONFIG, INDEX, CARD, RECIPE)
"""What tells of another model's weights."""


def store_folder(
    draft: ModelDraft,
    tensors: Mapping[str, Tensor],
    *,
    files: ModelFiles,
    run_id: str | None,
    versions: Mapping[str, str],
    time: datetime,
) -> Model:
    """Write, hash, sync and describe; the row is the caller's, last. `draft.documents` names the folder whose
    documents are taken. A function of its arguments, as `registry.store.store`.

    Raises NameTakenError, BadNameError, RegistryError, OSError (disk full); then nothing is left.
    """
    if draft.documents is None:
        raise ValueError(f"{draft.name}: a folder takes documents")
    source = files.inside(draft.documents)
    folder = files.scratch / secrets.token_hex(8)
    folder.mkdir()
    try:
        for path in sorted(source.iterdir()):
            kind = kind_of(path.name)
            if kind is not None and kind.format != "safetensors" and path.name not in _NOT_ITS_OWN:
                shutil.copyfile(path, folder / path.name)
        write_tensors(folder / SINGLE, tensors, {"format": "pt"}, durable=False)
        write_bytes(folder / CARD, card(draft, digest_tensors(tensors)).encode())
        if isinstance(draft.origin, MergeOrigin):
            recipe = json.dumps(draft.origin.recipe.model_dump(mode="json"), indent=1)
            write_bytes(folder / RECIPE, recipe.encode())
        found = inspect(folder, [path.name for path in folder.iterdir()])
        return place_folder(
            draft,
            folder,
            found,
            files=files,
            run_id=run_id,
            tokenizer=draft.tokenizer,
            versions=versions,
            time=time,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
