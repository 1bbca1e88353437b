"""Imports: whatever is wrong is refused at once, by name, and leaves nothing."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from agent_forge.contract.architecture import ARCHITECTURES, Preset
from agent_forge.contract.model import Model, ModelKind
from agent_forge.contract.recipe import ImportOrigin
from agent_forge.registry.errors import (
    BadNameError,
    Defect,
    MalformedFileError,
    NameTakenError,
    NoSpaceError,
    TooLargeError,
)
from agent_forge.registry.files import ModelFiles
from agent_forge.registry.tensors import TORCH_DTYPES, digest_tensors, write_tensors
from agent_forge.registry.upload import Upload

from .conftest import TIME, drawn, orphans
from .test_header import MALFORMED


def encoded(tmp_path: Path, state: dict[str, Tensor]) -> bytes:
    write_tensors(tmp_path / "source", state)
    return (tmp_path / "source").read_bytes()


def send(files: ModelFiles, data: bytes, *, name: str = "mine", chunk: int = 1000, limit: int = 10**7) -> Model:
    with Upload(files, name, limit_bytes=limit) as upload:
        for start in range(0, len(data), chunk):
            upload.write(data[start : start + chunk])
        assert upload.recipe is None
        return upload.finish(versions={}, time=TIME)


def nothing_left(files: ModelFiles) -> bool:
    return not list(files.scratch.iterdir()) and not orphans(files)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunk=st.integers(1, 5000))
def test_any_chunking(files: ModelFiles, tmp_path: Path, chunk: int) -> None:
    state = drawn(1)
    model = send(files, encoded(tmp_path, state), chunk=chunk)
    assert model.kind is ModelKind.imported
    assert model.digest == digest_tensors(state)
    assert model.run_id is None
    assert model.files[0].path == "imported/mine.safetensors"
    assert orphans(files, model) == []
    assert list(files.scratch.iterdir()) == []


def test_a_known_architecture_is_recognised(files: ModelFiles, tmp_path: Path) -> None:
    nano = ARCHITECTURES[Preset.nano]
    assert send(files, encoded(tmp_path, drawn(1, nano)), chunk=2**16).architecture == nano


@pytest.mark.parametrize(("defect", "data"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
@pytest.mark.parametrize("chunk", [7, 10**7])
def test_malformed(files: ModelFiles, defect: Defect, data: bytes, chunk: int) -> None:
    with pytest.raises(MalformedFileError) as error:
        send(files, data, chunk=chunk)
    # while it streams in, a file that ends early or late shows as a wrong length
    allowed = {defect, Defect.wrong_length} if defect is Defect.too_short else {defect}
    assert error.value.defect in allowed | {Defect.too_short}
    assert nothing_left(files)


def test_a_bad_header_is_refused_before_the_data(files: ModelFiles) -> None:
    text = b'{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}'
    with Upload(files, "mine", limit_bytes=10**7) as upload:
        upload.write(struct.pack("<Q", len(text)) + text[:-1])
        with pytest.raises(MalformedFileError, match="F33"):
            upload.write(text[-1:])


def test_a_file_beyond_the_limit_is_refused_by_its_header(files: ModelFiles) -> None:
    text = b'{"a":{"dtype":"U8","shape":[1000000],"data_offsets":[0,1000000]}}'
    with Upload(files, "mine", limit_bytes=10**5) as upload, pytest.raises(TooLargeError, match="1000073 bytes"):
        upload.write(struct.pack("<Q", len(text)) + text)
    with Upload(files, "mine", limit_bytes=10**5) as upload, pytest.raises(TooLargeError):
        upload.write(b"\0" * (10**5 + 1))
    assert nothing_left(files)


def test_a_disk_that_is_too_full(files: ModelFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ModelFiles, "free_bytes", lambda self: 1000)
    with pytest.raises(NoSpaceError, match="1000 are free"):
        send(files, encoded(tmp_path, drawn(1)))
    assert nothing_left(files)


FLOATS = [dtype for dtype in TORCH_DTYPES.values() if dtype.is_floating_point or dtype.is_complex]


# F8_E4M3 has no infinity
NO_NUMBERS = [
    (dtype, value)
    for dtype in FLOATS
    for value in (math.nan, math.inf, -math.inf)
    if math.isnan(value) or dtype is not torch.float8_e4m3fn
]


@pytest.mark.parametrize(("dtype", "value"), NO_NUMBERS, ids=str)
def test_numbers_that_are_none(files: ModelFiles, tmp_path: Path, dtype: torch.dtype, value: float) -> None:
    state = {"fine": torch.ones(3), "broken": torch.tensor([1.0, value, 2.0]).to(dtype)}
    with pytest.raises(MalformedFileError, match="'broken' holds NaN or infinity"):
        send(files, encoded(tmp_path, state))
    assert nothing_left(files)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_extremes_are_numbers(files: ModelFiles, tmp_path: Path, dtype: torch.dtype) -> None:
    info = torch.finfo(dtype)
    state = {"a": torch.tensor([info.max, info.min, info.tiny, 0.0, -0.0], dtype=torch.float64).to(dtype)}
    assert send(files, encoded(tmp_path, state)).parameters == 5


def test_integers_of_all_bits(files: ModelFiles, tmp_path: Path) -> None:
    assert send(files, encoded(tmp_path, {"a": torch.full((4,), -1)})).architecture is None


def test_the_same_again_and_another_of_the_same_name(files: ModelFiles, tmp_path: Path) -> None:
    first = send(files, encoded(tmp_path, drawn(1)))
    assert send(files, encoded(tmp_path, drawn(1))) == first
    with pytest.raises(NameTakenError):
        send(files, encoded(tmp_path, drawn(2)))
    assert send(files, encoded(tmp_path, drawn(2)), name="other").id != first.id


def test_a_name_that_leads_out(files: ModelFiles) -> None:
    with pytest.raises(BadNameError):
        Upload(files, "../x", limit_bytes=1)
    assert nothing_left(files)


@pytest.mark.parametrize(
    "text",
    ["", "a cake", "{}", '{"kind":"model"}', '{"kind":"merge","op":"linear","inputs":' * 5000, "[" * 100_000],
    ids=["empty", "words", "no kind", "no digest", "deep", "lists"],
)
def test_a_header_s_text_that_is_no_recipe_is_text(files: ModelFiles, tmp_path: Path, text: str) -> None:
    write_tensors(tmp_path / "source", drawn(1), {"recipe": text})
    model = send(files, (tmp_path / "source").read_bytes())
    assert model.origin == ImportOrigin(filename="mine.safetensors")
    assert model.parents == []
