"""Random state dicts through our writers and the safetensors library: same bytes, same tensors, same digest."""

from __future__ import annotations

import hashlib
import struct
import tempfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from agent_forge.registry.digest import digest_file
from agent_forge.registry.errors import FileMissingError
from agent_forge.registry.header import lay_out
from agent_forge.registry.tensors import (
    TORCH_DTYPES,
    bytes_of,
    digest_tensors,
    load_tensors,
    mapped_file,
    spec_of,
    write_pt,
    write_tensors,
)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    dtype = draw(st.sampled_from(list(TORCH_DTYPES.values())))
    shape = draw(st.lists(st.integers(0, 5), max_size=3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    raw = torch.randint(0, 256, (*shape, dtype.itemsize), dtype=torch.uint8, generator=generator)
    if dtype is torch.bool:
        return raw[..., 0] > 127
    return raw.view(dtype).reshape(shape)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(lambda n: n != "__metadata__")
STATE_DICTS = st.dictionaries(NAMES, tensors(), min_size=1, max_size=6)


def reference_digest(state: dict[str, Tensor]) -> str:
    """The documented encoding, written a second time."""
    names = {torch_dtype: name for name, torch_dtype in TORCH_DTYPES.items()}
    out = b""
    for name in sorted(state, key=lambda name: name.encode()):
        tensor = state[name]
        dtype = names[tensor.dtype].encode()
        out += struct.pack("<I", len(name.encode())) + name.encode() + struct.pack("<I", len(dtype)) + dtype
        out += struct.pack("<I", tensor.dim()) + b"".join(struct.pack("<Q", side) for side in tensor.shape)
        out += hashlib.sha256(bytes(tensor.contiguous().reshape(-1).view(torch.uint8).tolist())).digest()
    return hashlib.sha256(out).hexdigest()


@settings(max_examples=150)
@given(state=STATE_DICTS, metadata=st.none() | st.just({"format": "pt"}))
def test_files_equal_the_library_s(state: dict[str, Tensor], metadata: dict[str, str] | None) -> None:
    with tempfile.TemporaryDirectory() as directory:
        ours, mapped, theirs = (Path(directory, name) for name in ("ours", "mapped", "theirs"))
        write_tensors(ours, state, metadata)
        safetensors.torch.save_file(state, theirs, metadata)
        with mapped_file(mapped, {name: spec_of(tensor) for name, tensor in state.items()}, metadata) as views:
            for name, view in views.items():
                view.copy_(state[name])
        assert ours.read_bytes() == theirs.read_bytes() == mapped.read_bytes()
        found = digest_file(ours)
        assert found.digest == digest_tensors(state) == reference_digest(state)
        assert found.file_sha256 == hashlib.sha256(ours.read_bytes()).hexdigest()
        assert found.header.parameters == sum(tensor.numel() for tensor in state.values())
        loaded, library = load_tensors(theirs), safetensors.torch.load_file(theirs)
        assert loaded.keys() == state.keys()
        for name, tensor in loaded.items():
            assert (tensor.dtype, tensor.shape) == (state[name].dtype, state[name].shape)
            assert bytes_of(tensor) == bytes_of(state[name]) == bytes_of(library[name])


@settings(max_examples=100)
@given(state=STATE_DICTS, choice=st.randoms(use_true_random=False))
def test_digest_depends_on_content_alone(state: dict[str, Tensor], choice: object) -> None:
    names = list(state)
    choice.shuffle(names)  # type: ignore[attr-defined]
    digest = digest_tensors(state)
    assert digest_tensors({name: state[name] for name in names}) == digest
    name = names[0]
    assert digest_tensors(state | {name: state[name].unsqueeze(0)}) != digest
    assert digest_tensors({f"{key}." if key == name else key: value for key, value in state.items()}) != digest
    if state[name].numel():
        changed = bytearray(bytes_of(state[name]))
        changed[-1] ^= 1
        if state[name].dtype is not torch.bool:
            flipped = torch.frombuffer(changed, dtype=state[name].dtype).reshape(state[name].shape)
            assert digest_tensors(state | {name: flipped}) != digest


def test_views_that_are_not_contiguous() -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    for view in (whole.T, whole[:, ::2], whole[1:], whole.expand(2, 3, 4), torch.complex(whole, whole).conj()):
        assert digest_tensors({"a": view}) == digest_tensors({"a": view.clone().resolve_conj().contiguous()})


def test_no_copy_of_contiguous_tensors() -> None:
    tensor = torch.zeros(4)
    view = bytes_of(tensor)
    tensor[0] = 1.0
    assert bytes(view[:4]) == struct.pack("<f", 1.0)


def test_loaded_tensors_are_private(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_tensors(path, {"a": torch.ones(4)})
    before = path.read_bytes()
    first, second = load_tensors(path), load_tensors(path)
    first["a"].zero_()
    assert second["a"].tolist() == [1.0] * 4
    assert path.read_bytes() == before
    with pytest.raises(FileMissingError):
        load_tensors(tmp_path / "none")


def test_unaligned_files_of_other_writers(tmp_path: Path) -> None:
    text = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    text += b" " * ((1 - len(text)) % 4)
    path = tmp_path / "x"
    path.write_bytes(struct.pack("<Q", len(text)) + text + struct.pack("<ff", 1.5, -2.0))
    assert (8 + len(text)) % 4
    assert load_tensors(path)["a"].tolist() == [1.5, -2.0]


def test_a_failed_drawing_leaves_nothing(tmp_path: Path) -> None:
    def draw() -> None:
        with mapped_file(tmp_path / "x", {"a": spec_of(torch.zeros(4))}) as views:
            views["a"].fill_(1)
            raise RuntimeError("the drawing fails")

    with pytest.raises(RuntimeError, match="the drawing fails"):
        draw()
    assert list(tmp_path.iterdir()) == []


def test_pt_loads_without_unpickling_code_and_repeats(tmp_path: Path) -> None:
    state = {"a": torch.randn(3, 2), "b": torch.arange(3)}
    write_pt(tmp_path / "x.pt", state)
    write_pt(tmp_path / "another-name.pt", state)
    assert (tmp_path / "x.pt").read_bytes() == (tmp_path / "another-name.pt").read_bytes()
    loaded = torch.load(tmp_path / "x.pt", weights_only=True)
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_dtype_without_a_place() -> None:
    with pytest.raises(TypeError, match="complex128"):
        spec_of(torch.zeros(1, dtype=torch.complex128))


def test_a_tensor_of_the_file_is_where_the_header_says(tmp_path: Path) -> None:
    state = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3], dtype=torch.int64)}
    write_tensors(tmp_path / "x", state)
    header, _ = lay_out({name: spec_of(tensor) for name, tensor in state.items()})
    data = (tmp_path / "x").read_bytes()
    assert struct.unpack_from("<q", data, header.offsets["b"]) == (3,)
    assert struct.unpack_from("<ff", data, header.offsets["a"]) == (1.0, 2.0)
