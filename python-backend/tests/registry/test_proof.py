"""Before a file is used: whatever befell it is found, and a file that is as it was is read once."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_forge.registry import proof
from agent_forge.registry.errors import FileDiffersError, FileMissingError
from agent_forge.registry.files import ModelFiles
from agent_forge.registry.proof import Proofs, failed
from agent_forge.registry.store import convert_to_pt

from .conftest import Shelf, draft, drawn


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that a file is read."""
    found: list[int] = []
    real = proof.sha256_fd

    def counted(fd: int) -> str:
        found.append(fd)
        return real(fd)

    monkeypatch.setattr(proof, "sha256_fd", counted)
    return found


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def flip_in_secret(path: Path) -> None:
    """With the same size, inode and time of modification."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path) -> None:
    copy = path.with_suffix(".copy")
    shutil.copy2(path, copy)
    flip_in_secret(copy)
    copy.replace(path)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0")


def empty(path: Path) -> None:
    os.truncate(path, 0)


DAMAGE: list[tuple[Callable[[Path], None], str]] = [
    (flip, "not those that were registered"),
    (flip_in_secret, "not those that were registered"),
    (replace, "not those that were registered"),
    (cut, "were registered"),
    (grow, "were registered"),
    (empty, "has 0 bytes"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGE, ids=[row[0].__name__ for row in DAMAGE])
@pytest.mark.parametrize("before", [True, False], ids=["proved before", "never proved"])
@pytest.mark.parametrize("file_format", ["safetensors", "pt"])
def test_damage_is_found(
    shelf: Shelf, file_format: str, before: bool, damage: Callable[[Path], None], said: str
) -> None:
    model = shelf.add(draft("m", formats=["safetensors", "pt"]), drawn(1))
    stored = next(file for file in model.files if file.format == file_format)
    proofs = Proofs(shelf.files)
    path = shelf.files.path(stored)
    if before:
        assert proofs.file(model, stored) == path
    damage(path)
    with pytest.raises(FileDiffersError, match=f"m: .*{file_format}.* {said}") as error:
        proofs.file(model, stored)
    verification = failed(model, error.value, 0.1)
    assert (verification.ok, verification.subject_id) == (False, model.id)
    assert verification.checks[0].expected != verification.checks[0].found


def test_a_missing_file(shelf: Shelf) -> None:
    model = shelf.parent(1)
    shelf.files.tensors(model).unlink()
    with pytest.raises(FileMissingError) as error:
        Proofs(shelf.files).weights(model)
    assert failed(model, error.value, 0.1).checks[0].found is None


def test_a_file_that_is_as_it_was_is_read_once(shelf: Shelf, reads: list[int]) -> None:
    model, proofs = shelf.parent(1), Proofs(shelf.files)
    for _ in range(3):
        proofs.weights(model)
    assert len(reads) == 1
    flip(*proofs.weights(model))
    with pytest.raises(FileDiffersError):
        proofs.weights(model)
    flip(shelf.files.tensors(model))
    proofs.weights(model)
    assert len(reads) == 3


def test_a_size_that_is_wrong_is_told_without_reading(shelf: Shelf, reads: list[int]) -> None:
    model = shelf.parent(1)
    cut(shelf.files.tensors(model))
    with pytest.raises(FileDiffersError):
        Proofs(shelf.files).weights(model)
    assert reads == []


def test_threads_share_one_reading(shelf: Shelf, reads: list[int]) -> None:
    model, proofs = shelf.parent(1), Proofs(shelf.files)
    threads = [threading.Thread(target=proofs.weights, args=(model,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 1


def test_a_file_that_changes_while_it_is_read_is_not_remembered(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, files: ModelFiles
) -> None:
    model, proofs = shelf.parent(1), Proofs(files)
    path = files.tensors(model)
    real = proof.sha256_fd

    def disturbed(fd: int) -> str:
        found = real(fd)
        flip(path)
        return found

    monkeypatch.setattr(proof, "sha256_fd", disturbed)
    proofs.weights(model)
    monkeypatch.setattr(proof, "sha256_fd", real)
    with pytest.raises(FileDiffersError):
        proofs.weights(model)


def test_an_exported_file_is_named_by_its_bytes(shelf: Shelf) -> None:
    path = shelf.files.exports / "x.pt"
    convert_to_pt(shelf.files.weights(shelf.parent(1)), path)
    first = Proofs(shelf.files).sha256(path)
    flip(path)
    assert Proofs(shelf.files).sha256(path) != first
