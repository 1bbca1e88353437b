"""Our reader beside the library's: the same files are accepted and mean the same, but for what is listed."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors
import torch
from hypothesis import given
from hypothesis import strategies as st

from agent_forge.registry.digest import digest_file
from agent_forge.registry.dtype import BITS, NO_NUMBERS
from agent_forge.registry.errors import MalformedFileError, UnreadableTypeError
from agent_forge.registry.header import Header, TensorSpec, lay_out, parse_header, read_header
from agent_forge.registry.tensors import TORCH_DTYPES, digest_tensors, load_tensors

from .test_header import MALFORMED, encoded, entry, nested

ENTRY = json.dumps(entry()).encode()
ACCEPTED: list[tuple[str, bytes]] = [
    ("plain", encoded({"a": entry()})),
    ("no metadata by null", encoded({"__metadata__": None, "a": entry()})),
    ("empty metadata", encoded({"__metadata__": {}, "a": entry()})),
    ("space around", encoded(b' \r\n\t{"a":' + ENTRY + b"} \n\t")),
    ("unpadded", encoded(b'{"a":' + ENTRY + b"}")),
    ("another key in an entry", encoded({"a": entry() | {"x": [{"y": 1e300}, 10**300, -0.0]}})),
    ("nested as deep as may be", encoded({"a": entry() | {"x": nested(125)}})),
    ("rank of 100", encoded({"a": entry(shape=(2,) + (1,) * 99)})),
    ("scalar", encoded({"a": entry("F64", (), (0, 8))})),
    ("all empty", encoded({"a": entry(shape=(0, 3), span=(0, 0)), "b": entry(shape=(0,), span=(0, 0))}, b"")),
    ("empty at the end", encoded({"a": entry(), "b": entry(shape=(0,), span=(8, 8))})),
    ("empty name", encoded({"": entry()})),
    ("NUL in a name", encoded({"a\0": entry()})),
    ("pair of surrogates", encoded(b'{"\\ud83d\\ude00":' + ENTRY + b"}")),
    ("an odd offset", encoded({"b": entry("U8", (1,), (0, 1)), "a": entry(span=(1, 9))}, b"\0" * 9)),
    *((dtype, encoded({"a": entry(dtype, (8,), (0, bits))}, b"\0" * bits)) for dtype, bits in BITS.items()),
]
STRICTER: list[tuple[str, str, bytes]] = [
    ("no tensors", "nothing to keep", encoded({}, b"")),
    ("only metadata", "nothing to keep", encoded({"__metadata__": {"a": "b"}}, b"")),
    ("a name twice", "readers differ", encoded(b'{"a":' + ENTRY + b',"a":' + ENTRY + b"}")),
    ("a name twice in metadata", "readers differ", encoded(b'{"__metadata__":{"x":"1","x":"2"},"a":' + ENTRY + b"}")),
    ("entry as a list", "accident", encoded({"a": ["F32", [2], [0, 8]]})),
    ("dtype as an object", "accident", encoded({"a": entry({"F32": None})})),
    ("header above 16 MiB", "memory", encoded(b'{"a":' + ENTRY + b"}" + b" " * 2**24)),
    ("empty beyond counting", "no array", encoded({"a": entry(shape=(0, 2**32, 2**31), span=(0, 0))}, b"")),
]


def theirs(data: bytes) -> dict[str, tuple[str, list[int], bytes]] | None:
    try:
        found = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError:
        return None
    return {name: (tensor["dtype"], tensor["shape"], bytes(tensor["data"])) for name, tensor in found}


def ours(data: bytes, folder: Path) -> dict[str, tuple[str, list[int], bytes]] | None:
    path = folder / "x.safetensors"
    path.write_bytes(data)
    try:
        return meaning(read_header(path), data)
    except MalformedFileError:
        return None


def meaning(header: Header, data: bytes) -> dict[str, tuple[str, list[int], bytes]]:
    return {
        name: (spec.dtype, list(spec.shape), data[header.offsets[name] : header.offsets[name] + spec.bytes])
        for name, spec in header.tensors.items()
    }


@pytest.mark.parametrize("data", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_accepted_by_both(tmp_path: Path, data: bytes) -> None:
    found = ours(data, tmp_path)
    assert found is not None
    assert found == theirs(data)


@pytest.mark.parametrize("data", [row[2] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_what_is_refused_is_refused_by_both_or_listed(tmp_path: Path, data: bytes) -> None:
    assert ours(data, tmp_path) is None
    listed = [row[2] for row in STRICTER]
    # names twice and empty files are malformed rows of their own, of the kinds that are listed
    assert theirs(data) is None or data in listed


@pytest.mark.parametrize("data", [row[2] for row in STRICTER], ids=[row[0] for row in STRICTER])
def test_stricter_on_purpose(tmp_path: Path, data: bytes) -> None:
    assert ours(data, tmp_path) is None
    assert theirs(data) is not None


def test_the_types_are_the_librarys() -> None:
    with pytest.raises(safetensors.SafetensorError, match="expected one of") as error:
        safetensors.deserialize(encoded({"a": entry("F33")}))  # type: ignore[no-untyped-call]
    named = str(error.value).split("expected one of ")[1].split(" at line")[0]
    assert list(BITS) == [name.strip("` ") for name in named.split(",")]
    assert set(TORCH_DTYPES) == {dtype for dtype, bits in BITS.items() if bits >= 8}
    assert all(dtype.itemsize * 8 == BITS[name] for name, dtype in TORCH_DTYPES.items())


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**65) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
SIDES = st.lists(st.integers(0, 5) | st.sampled_from([2**31, 2**32, 2**63, -1, True, 1.0]), max_size=4)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """Mostly valid: a layout, then perhaps one thing in it replaced by any other."""
    table: dict[str, Any] = {}
    end = 0
    for name in draw(st.lists(st.text(max_size=3), max_size=4, unique=True)):
        dtype = draw(st.sampled_from([*BITS, "F33"]))
        shape = draw(SIDES)
        product = 1
        for side in shape:
            product *= int(side)
        stop = end + max(0, product) * BITS.get(dtype, 8) // 8
        table[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, stop]}
        end = stop
    if draw(st.booleans()):
        table["__metadata__"] = draw(st.none() | st.just({"k": "v"}))
    if table and draw(st.booleans()):
        name = draw(st.sampled_from(list(table)))
        if isinstance(table[name], dict) and draw(st.booleans()):
            key = draw(st.sampled_from([*table[name], "x"]))
            table[name] = table[name] | {key: draw(ANY_JSON)}
        else:
            table[name] = draw(ANY_JSON)
    text = json.dumps(table, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    length = min(end, 4096) + draw(st.sampled_from([0, 0, 0, 0, -1, 1]))
    return struct.pack("<Q", len(text)) + text + bytes(max(0, length))


@given(headers())
def test_any_header(data: bytes) -> None:
    (length,) = struct.unpack("<Q", data[:8])
    try:
        found = meaning(parse_header(data[8 : 8 + length], len(data)), data)
    except MalformedFileError:
        found = None
    expected = theirs(data)
    if found is None and expected is not None:
        table = json.loads(data[8 : 8 + length])
        entries = [value for name, value in table.items() if name != "__metadata__"]
        stricter = not entries or any(not isinstance(value, dict) for value in entries)
        stricter = stricter or any(not isinstance(value["dtype"], str) for value in entries)
        stricter = stricter or any(0 in value["shape"] and max(value["shape"]) >= 2**31 for value in entries)
        assert stricter
    else:
        assert found == expected


@pytest.mark.parametrize("dtype", list(BITS))
def test_every_type_is_read_digested_and_where_torch_can_loaded(tmp_path: Path, dtype: str) -> None:
    header, head = lay_out({"w": TensorSpec(dtype, (4, 4)), "empty": TensorSpec(dtype, (0, 4))})
    data = bytes(range(header.file_bytes - len(head)))
    path = tmp_path / "x.safetensors"
    path.write_bytes(head + (bytes(len(data)) if dtype == "BOOL" else data))
    assert read_header(path) == header
    found = digest_file(path)
    if BITS[dtype] < 8:
        with pytest.raises(UnreadableTypeError, match=f"is {dtype}, a type that torch cannot read"):
            load_tensors(path)
    else:
        assert digest_tensors(load_tensors(path)) == found.digest


EIGHT_BITS = [dtype for dtype in NO_NUMBERS if BITS[dtype] == 8]


@pytest.mark.parametrize("dtype", EIGHT_BITS)
def test_no_number_of_eight_bits(dtype: str) -> None:
    none = NO_NUMBERS[dtype]
    numbers = torch.arange(256, dtype=torch.uint8).view(TORCH_DTYPES[dtype]).float().isfinite()
    assert [(byte & none.mask) != none.value for byte in range(256)] == numbers.tolist()
