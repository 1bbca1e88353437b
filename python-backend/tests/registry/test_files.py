"""Names can't lead out of the models directory, and only what belongs to nobody is cleaned away."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_forge.registry.atomic import TEMP_PREFIX
from agent_forge.registry.errors import BadNameError, FileMissingError, NoSpaceError
from agent_forge.registry.files import ModelFiles, file_of

from .conftest import Shelf

REFUSED = [
    "", "/", "..", "../x", "a/../b", "a//b", "/etc/passwd", "a/", ".hidden", "a/.hidden", ".scratch/x", ".exports/x",
    "a\\b", "a b", "a\0b", "a\n", "é", "a/b/c/d/e/f/g", "x" * 201, "~root", "-rf", "%2e%2e/x", "C:x",
]  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(files: ModelFiles, name: str) -> None:
    with pytest.raises(BadNameError):
        files.inside(name)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text() | st.text("./a~\\", max_size=8))
def test_nothing_leads_out(files: ModelFiles, name: str) -> None:
    try:
        path = files.inside(name)
    except BadNameError:
        return
    assert path.is_relative_to(files.root)
    assert path != files.root
    assert not any(part.startswith(".") for part in path.relative_to(files.root).parts)


def test_links_are_refused(files: ModelFiles, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.safetensors").write_bytes(b"secret")
    (files.root / "linked").symlink_to(outside)
    (files.root / "file.safetensors").symlink_to(outside / "x.safetensors")
    for name in ("linked/x.safetensors", "file.safetensors"):
        with pytest.raises(BadNameError, match="symbolic link"):
            files.inside(name)
    (files.root / "loop").symlink_to("loop")
    with pytest.raises(BadNameError, match="symbolic link"):
        files.inside("loop/x.safetensors")
    with pytest.raises(BadNameError):
        files.target("linked", "new", ".safetensors")


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "models").symlink_to(tmp_path / "disk")
    files = ModelFiles(tmp_path / "models", 0)
    assert files.inside("a/b") == tmp_path.resolve() / "disk" / "a" / "b"


def test_clean_keeps_models_and_removes_the_rest(shelf: Shelf) -> None:
    files = shelf.files
    model = shelf.parent(1)
    unfinished = files.tensors(model).parent / f"{TEMP_PREFIX}0"
    unfinished.write_bytes(b"half")
    (files.scratch / "run_a").mkdir()
    (files.scratch / "run_a" / "x").write_bytes(b"half")
    (files.exports / "x.pt").write_bytes(b"old")
    removed = files.clean()
    assert set(removed) == {unfinished, files.scratch / "run_a", files.exports / "x.pt"}
    assert files.tensors(model).is_file()
    assert files.clean() == []


def test_remove(shelf: Shelf) -> None:
    model = shelf.parent(1)
    shelf.files.remove(model)
    shelf.files.remove(model)
    assert [path for path in shelf.files.root.rglob("*") if path.is_file()] == []
    with pytest.raises(FileMissingError):
        shelf.files.tensors(model)
    with pytest.raises(FileMissingError):
        file_of(model, "pt")


def test_what_would_touch_the_reserve_is_refused(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path / "models", 0)
    files.require_space(0)
    with pytest.raises(NoSpaceError, match="are free"):
        files.require_space(2 * files.free_bytes())
    reserve = 2 * files.free_bytes()
    with pytest.raises(NoSpaceError, match=f"{reserve} kept in reserve"):
        ModelFiles(tmp_path / "models", reserve).require_space(0)
