"""An adapter that was brought, merged onto its base: tensor by tensor, into a folder of its own."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from functools import partial

from torch import Tensor

from ..contract.base import now
from ..contract.job import ModelDraft
from ..contract.model import Model, ModelKind
from ..contract.recipe import Leaf, MergeOrigin
from ..evomerge.errors import LeafChanged
from ..evomerge.recipe.tree import node
from ..evomerge.streaming import stream
from ..registry.bundle.adapter import adapter_settings
from ..registry.bundle.sharding import sharded
from ..registry.bundle.view import TensorView
from ..registry.digest import digest_hashes, hash_file
from ..registry.files import ModelFiles
from ..registry.store import store
from ..versions import versions


def adapted(base: Model, adapter: Model, name: str, files: ModelFiles) -> Model:
    """The model that both make, written, not registered; its recipe has both at its leaves.

    Raises RegistryError, MergeRefused, OSError; then nothing is left.
    """
    views = {model.id: TensorView(files.weights(model)) for model in (base, adapter)}
    for model in (base, adapter):
        found = digest_hashes(map(hash_file, files.weights(model)))
        if found != model.digest:
            raise LeafChanged(f"{model.name} has the digest {found}, {model.digest} was registered")

    def load(leaf: Leaf) -> Mapping[str, Tensor]:
        return views[leaf.model_id]

    leaves = [Leaf(model_id=model.id, digest=model.digest) for model in (base, adapter)]
    recipe = node("lora", [*leaves], **adapter_settings(files.inside(adapter.folder or "")))
    folder = files.scratch / secrets.token_hex(8)
    folder.mkdir()
    draft = ModelDraft(
        name=name,
        directory="imported",
        kind=ModelKind.merged,
        specialization=None,
        architecture=base.architecture,
        documents=base.folder,
        tokenizer=base.tokenizer,
        origin=MergeOrigin(recipe=recipe),
        parents=[base.id, adapter.id],
        metrics={},
    )
    try:
        stream(recipe, load, folder, files=partial(sharded, most_bytes=None), metadata={"format": "pt"})
        return store(draft, folder, files=files, run_id=None, versions=versions(), time=now())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
