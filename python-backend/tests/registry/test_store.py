"""From tensors or a finished file to a model: paths, metadata, repeats, crashes, refusals."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import torch

from agent_forge.contract.architecture import ARCHITECTURES, Preset, TinyTitan, parameter_count, tensor_shapes
from agent_forge.registry.architecture import forecast_bytes, modules, recognise
from agent_forge.registry.errors import FileMissingError, NameTakenError, WrongShapeError
from agent_forge.registry.files import ModelFiles
from agent_forge.registry.header import float32, lay_out, read_header
from agent_forge.registry.placement import metadata_of, model_id, read_metadata
from agent_forge.registry.store import drawing, store
from agent_forge.registry.tensors import digest_tensors, load_tensors

from .conftest import TIME, TINY, draft, drawn, orphans, trained


def test_a_model_from_tensors(files: ModelFiles) -> None:
    state = drawn(1)
    model = store(
        draft("m", trained(1), formats=["safetensors", "pt"]), state,
        files=files, run_id="run_a", versions={"torch": "2"}, time=TIME,
    )  # fmt: skip
    path = files.root / "cognate" / "s1" / "m.safetensors"
    assert [file.path for file in model.files] == ["cognate/s1/m.safetensors", "cognate/s1/m.pt"]
    assert model.parameters == parameter_count(TINY) == sum(tensor.numel() for tensor in state.values())
    assert model.bytes == path.stat().st_size == model.files[0].bytes == forecast_bytes(TINY)
    assert model.digest == digest_tensors(state)
    assert all(torch.equal(tensor, state[name]) for name, tensor in load_tensors(path).items())
    loaded = torch.load(files.root / model.files[1].path, weights_only=True)
    assert list(loaded)
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.items())
    assert list(files.scratch.iterdir()) == []

    written = json.loads((files.root / "cognate" / "s1" / "m_metadata.json").read_text())
    assert written == metadata_of(model) == read_metadata(files, model)
    assert written["seed"] == 1
    assert written["config"] == {"k": 1}
    promised = "id parameters bytes digest seed specialization config metrics lineage versions created_at"
    assert set(promised.split()) <= written.keys()


def test_drawing_into_the_file_gives_the_same_model(files: ModelFiles) -> None:
    state = drawn(1)
    path = files.scratch / "drawn.safetensors"
    with drawing(path, TINY) as views:
        assert list(views) == list(tensor_shapes(TINY))
        for name, view in views.items():
            view.copy_(state[name])
    drawn_model = store(draft("a"), path, files=files, run_id="r", versions={}, time=TIME)
    written = store(draft("b"), state, files=files, run_id="r", versions={}, time=TIME)
    assert drawn_model.digest == written.digest
    assert drawn_model.files[0].file_sha256 == written.files[0].file_sha256
    assert not path.exists()


def test_ids() -> None:
    assert model_id("r", "n") == model_id("r", "n")
    assert len({model_id("r", "n"), model_id("r", "m"), model_id("s", "n"), model_id(None, "n")}) == 4
    assert re.fullmatch("mdl_[0-9a-f]{24}", model_id("r", "n"))


def test_a_repeat_is_the_same_model(files: ModelFiles) -> None:
    first = store(draft("m"), drawn(1), files=files, run_id="r", versions={}, time=TIME)
    again = store(draft("m"), drawn(1), files=files, run_id="r", versions={}, time=TIME + timedelta(hours=1))
    assert again.model_copy(update={"created_at": first.created_at}) == first


def test_another_run_can_not_take_the_place(files: ModelFiles) -> None:
    first = store(draft("m"), drawn(1), files=files, run_id="r", versions={}, time=TIME)
    with pytest.raises(NameTakenError):
        store(draft("m"), drawn(2), files=files, run_id="s", versions={}, time=TIME)
    assert digest_tensors(load_tensors(files.tensors(first))) == first.digest
    assert list(files.scratch.iterdir()) == []
    files.metadata(first).write_text("not JSON")
    with pytest.raises(NameTakenError):
        store(draft("m"), drawn(2), files=files, run_id="s", versions={}, time=TIME)


def test_a_crash_between_the_renames_is_repaired_by_the_repeat(
    files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def die_at_the_description(self: Path, target: Path) -> Path:
        if target.suffix == ".json":
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", die_at_the_description)
        with pytest.raises(KeyboardInterrupt):
            store(draft("m"), drawn(1), files=files, run_id="r", versions={}, time=TIME)
    assert [path.name for path in orphans(files)] == ["m.safetensors"]
    model = store(draft("m"), drawn(1), files=files, run_id="r", versions={}, time=TIME)
    assert orphans(files, model) == []


def test_shapes_that_are_not_the_architecture_s(files: ModelFiles) -> None:
    state = drawn(1) | {"memory_gate.bias": torch.zeros(9)}
    with pytest.raises(WrongShapeError, match=r"memory_gate.bias: expected \(8,\), found \(9,\)"):
        store(draft("m"), state, files=files, run_id="r", versions={}, time=TIME)
    assert orphans(files) == []
    assert list(files.scratch.iterdir()) == []


def test_a_missing_source(files: ModelFiles) -> None:
    with pytest.raises(FileMissingError):
        store(draft("m"), files.scratch / "none", files=files, run_id="r", versions={}, time=TIME)


def test_lost_metadata_is_made_anew(files: ModelFiles) -> None:
    model = store(draft("m"), drawn(1), files=files, run_id="r", versions={}, time=TIME)
    for damage in (b"", b"[]", b"\xff"):
        files.metadata(model).write_bytes(damage)
        assert read_metadata(files, model) == metadata_of(model)
    files.metadata(model).unlink()
    assert read_metadata(files, model) == metadata_of(model)


@pytest.mark.parametrize("preset", list(Preset))
def test_sizes_known_beforehand(preset: Preset) -> None:
    arch = ARCHITECTURES[preset]
    header_and_tensors = forecast_bytes(arch)
    assert 4 * parameter_count(arch) < header_and_tensors < 4 * parameter_count(arch) + 20_000


def test_the_tinytitan_s_size() -> None:
    assert parameter_count(ARCHITECTURES[Preset.tinytitan]) == 58_282_241
    assert parameter_count(ARCHITECTURES[Preset.wide]) == 134_539_346


def recognised(architecture: TinyTitan, metadata: dict[str, str] | None = None, dtype: str | None = None) -> object:
    specs = float32(tensor_shapes(architecture))
    if dtype:
        specs = {name: type(spec)(dtype, spec.shape) for name, spec in specs.items()}
    return recognise(lay_out(specs, metadata)[0])


def test_recognised_architectures() -> None:
    nano = ARCHITECTURES[Preset.nano]
    stacked = nano.model_copy(update={"n_layers": 11})
    named = nano.model_copy(update={"window": 64, "n_heads": 8})
    assert recognised(nano) == nano
    assert recognised(stacked) == stacked
    assert recognised(named, {"architecture": named.model_dump_json()}) == named
    assert recognised(TINY) is None
    assert recognised(TINY, {"architecture": TINY.model_dump_json()}) == TINY
    for lie in ("x", "{}", "[" * 100_000, TINY.model_dump_json()):
        assert recognised(nano, {"architecture": lie}) == nano
    assert recognised(nano, None, "BF16") is None


def test_modules_come_in_the_model_s_order(files: ModelFiles) -> None:
    model = store(draft("m"), drawn(1), files=files, run_id="r", versions={}, time=TIME)
    table = modules(read_header(files.tensors(model)).tensors)
    assert [row.module for row in table][:2] == ["embedding", "transformer_blocks.0.self_attn.in_proj"]
    assert sum(row.parameters for row in table) == model.parameters
    foreign = lay_out(float32({"l.10.w": (2,), "l.9.w": (3,), "l.9.b": (1,)}))[0]
    assert [(row.module, row.parameters) for row in modules(foreign.tensors)] == [("l.9", 4), ("l.10", 2)]
