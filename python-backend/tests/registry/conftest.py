"""Tiny real models and a models directory."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agent_forge.contract.architecture import Preset, TinyTitan, tensor_shapes
from agent_forge.contract.job import ModelDraft
from agent_forge.contract.model import Model, ModelKind
from agent_forge.contract.recipe import ImportOrigin, Leaf, MergeNode, MergeOrigin, Origin, TrainingOrigin
from agent_forge.registry.files import ModelFiles
from agent_forge.registry.store import store

TIME = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TINY = TinyTitan(preset=Preset.nano, vocab_size=16, d_model=8, n_layers=2, n_heads=2, d_ff=16, window=8)


def drawn(seed: int, architecture: TinyTitan = TINY) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in tensor_shapes(architecture).items()}


def trained(seed: int, initial: Leaf | None = None) -> TrainingOrigin:
    return TrainingOrigin(
        run_id="run_a", stage="reasoning", seed=seed, steps=3, architecture=TINY, config={"k": 1}, initial=initial
    )


def draft(name: str, origin: Origin | None = None, **changes: Any) -> ModelDraft:
    values: dict[str, Any] = {
        "name": name,
        "directory": "cognate/s1",
        "kind": ModelKind.specialist,
        "specialization": None,
        "architecture": TINY,
        "origin": origin or ImportOrigin(filename="x.safetensors"),
        "parents": [],
        "metrics": {"accuracy/arithmetic": 0.5},
    }
    return ModelDraft(**(values | changes))


@pytest.fixture
def files(tmp_path: Path) -> ModelFiles:
    return ModelFiles(tmp_path / "models", 0)


class Shelf:
    """A registry in memory: rows by id, files on disk."""

    def __init__(self, files: ModelFiles) -> None:
        self.files = files
        self.rows: dict[str, Model] = {}

    def add(self, model_draft: ModelDraft, tensors: dict[str, Tensor]) -> Model:
        model = store(model_draft, tensors, files=self.files, run_id="run_a", versions={"torch": "x"}, time=TIME)
        self.rows[model.id] = model
        return model

    def parent(self, seed: int) -> Model:
        return self.add(draft(f"parent-{seed}", trained(seed)), drawn(seed))

    def merged(self, name: str, *parents: Model) -> Model:
        recipe = average(*parents)
        origin = MergeOrigin(run_id="run_a", candidate_id="c", recipe=recipe)
        leaves = {parent.id: _load(self.files, parent) for parent in parents}
        kind = {"kind": ModelKind.merged, "parents": [parent.id for parent in parents]}
        return self.add(draft(name, origin, **kind), materialise(recipe, leaves))


@pytest.fixture
def shelf(files: ModelFiles) -> Shelf:
    return Shelf(files)


def average(*parents: Model) -> MergeNode:
    return MergeNode(op="average", inputs=[Leaf(model_id=parent.id, digest=parent.digest) for parent in parents])


def materialise(recipe: Leaf | MergeNode, leaves: Any) -> dict[str, Tensor]:
    """The one op of these tests: a plain mean."""
    if isinstance(recipe, Leaf):
        return dict(leaves[recipe.model_id])
    inputs = [materialise(part, leaves) for part in recipe.inputs]
    return {name: torch.stack([tensors[name] for tensors in inputs]).mean(0) for name in inputs[0]}


def _load(files: ModelFiles, model: Model) -> dict[str, Tensor]:
    from agent_forge.registry.tensors import load_tensors

    return load_tensors(files.tensors(model))


def orphans(files: ModelFiles, *models: Model) -> list[Path]:
    """Files below the models directory, caches and scratch apart, that belong to none of `models`."""
    known = {files.root / file.path for model in models for file in model.files}
    known |= {files.metadata(model) for model in models}
    found = {path for path in files.root.rglob("*") if path.is_file()} - known
    return sorted(path for path in found if not path.relative_to(files.root).parts[0].startswith("."))
