"""What a download is told, and the `.pt` cache."""

from __future__ import annotations

import os

import pytest
import torch

from agent_forge.registry.download import download, export
from agent_forge.registry.error import FileMissingError
from agent_forge.registry.store import convert_to_pt

from .conftest import Shelf, draft, drawn


def test_facts(shelf: Shelf) -> None:
    model = shelf.parent(1)
    facts = download(shelf.files, model, "safetensors")
    assert facts is not None
    assert (facts.path, facts.filename) == (shelf.files.tensors(model), "parent-1.safetensors")
    assert facts.etag == f'"{model.digest}"'
    assert download(shelf.files, model, "pt") is None
    shelf.files.remove(model)
    with pytest.raises(FileMissingError):
        download(shelf.files, model, "safetensors")


def test_an_export_is_made_once(shelf: Shelf) -> None:
    model = shelf.parent(1)
    path = export(shelf.files, model, convert_to_pt)
    made = path.stat().st_mtime_ns
    assert export(shelf.files, model, convert_to_pt) == path
    assert path.stat().st_mtime_ns == made
    facts = download(shelf.files, model, "pt")
    assert facts is not None
    assert (facts.path, facts.filename) == (path, "parent-1.pt")
    assert facts.etag == f'"{model.digest}-torch-{torch.__version__}"'
    assert torch.equal(torch.load(path, weights_only=True)["embedding.weight"], drawn(1)["embedding.weight"])


def test_exports_go_with_their_model(shelf: Shelf) -> None:
    model = shelf.parent(1)
    export(shelf.files, model, convert_to_pt)
    shelf.files.remove(model)
    assert list(shelf.files.exports.iterdir()) == []


def test_a_stored_pt_is_sent_as_it_is(shelf: Shelf) -> None:
    model = shelf.add(draft("m", formats=["safetensors", "pt"]), drawn(1))
    facts = download(shelf.files, model, "pt")
    assert facts is not None
    assert facts.path == shelf.files.root / model.files[1].path
    assert facts.etag == f'"{model.files[1].file_sha256}"'


def test_the_cache_stays_small(shelf: Shelf) -> None:
    paths = []
    for seed in range(6):
        path = export(shelf.files, shelf.parent(seed), convert_to_pt)
        os.utime(path, (seed, seed))
        paths.append(path)
    last = export(shelf.files, shelf.parent(9), convert_to_pt)
    assert set(shelf.files.exports.iterdir()) == {last, *paths[-3:]}
