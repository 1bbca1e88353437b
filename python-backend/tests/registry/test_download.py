"""What a download is told, and the `.pt` cache."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import torch

from agent_forge.registry.download import download, export
from agent_forge.registry.errors import FileMissingError
from agent_forge.registry.proof import Proofs
from agent_forge.registry.store import convert_to_pt, store
from agent_forge.registry.tensors import write_tensors

from .conftest import TIME, Shelf, draft, drawn


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_facts(shelf: Shelf) -> None:
    model = shelf.parent(1)
    facts = download(Proofs(shelf.files), model, "safetensors")
    assert facts is not None
    assert (facts.path, facts.filename) == (shelf.files.tensors(model), "parent-1.safetensors")
    assert facts.etag == f'"{sha256(facts.path)}"'
    assert download(Proofs(shelf.files), model, "pt") is None
    shelf.files.remove(model)
    with pytest.raises(FileMissingError):
        download(Proofs(shelf.files), model, "safetensors")


def test_an_export_is_made_once(shelf: Shelf) -> None:
    model = shelf.parent(1)
    path = export(shelf.files, model, convert_to_pt)
    made = path.stat().st_mtime_ns
    assert export(shelf.files, model, convert_to_pt) == path
    assert path.stat().st_mtime_ns == made
    facts = download(Proofs(shelf.files), model, "pt")
    assert facts is not None
    assert (facts.path, facts.filename) == (path, "parent-1.pt")
    assert facts.etag == f'"{sha256(path)}"'
    assert torch.equal(torch.load(path, weights_only=True)["embedding.weight"], drawn(1)["embedding.weight"])


def test_exports_go_with_their_model(shelf: Shelf) -> None:
    model = shelf.parent(1)
    export(shelf.files, model, convert_to_pt)
    shelf.files.remove(model)
    assert list(shelf.files.exports.iterdir()) == []


def test_a_stored_pt_is_sent_as_it_is(shelf: Shelf) -> None:
    model = shelf.add(draft("m", formats=["safetensors", "pt"]), drawn(1))
    facts = download(Proofs(shelf.files), model, "pt")
    assert facts is not None
    assert facts.path == shelf.files.root / model.files[1].path
    assert facts.etag == f'"{model.files[1].file_sha256}"' == f'"{sha256(facts.path)}"'


def test_files_of_one_digest_have_tags_of_their_own(shelf: Shelf) -> None:
    first = shelf.parent(1)
    source = shelf.files.scratch / "x"
    write_tensors(source, drawn(1), {"format": "pt", "note": "another header"}, durable=False)
    other = store(draft("other"), source, files=shelf.files, run_id=None, versions={}, time=TIME)
    tags = [facts.etag for model in (first, other) if (facts := download(Proofs(shelf.files), model, "safetensors"))]
    assert first.digest == other.digest
    assert len(set(tags)) == 2


def test_the_cache_stays_small(shelf: Shelf) -> None:
    paths = []
    for seed in range(6):
        path = export(shelf.files, shelf.parent(seed), convert_to_pt)
        os.utime(path, (seed, seed))
        paths.append(path)
    last = export(shelf.files, shelf.parent(9), convert_to_pt)
    assert set(shelf.files.exports.iterdir()) == {last, *paths[-3:]}
