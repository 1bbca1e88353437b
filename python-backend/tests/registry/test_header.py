"""The header: what is refused, and that the layout is the library's own."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from agent_forge.registry.errors import Defect, FileMissingError, MalformedFileError
from agent_forge.registry.header import MAX_HEADER_BYTES, TensorSpec, file_bytes, lay_out, read_header


def entry(dtype: Any = "F32", shape: Any = (2,), span: Any = (0, 8)) -> dict[str, Any]:
    shape = list(shape) if isinstance(shape, tuple) else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": list(span) if isinstance(span, tuple) else span}


def encoded(table: Any, data: bytes = b"\0" * 8) -> bytes:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + data


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


MALFORMED: list[tuple[str, Defect, bytes]] = [
    ("empty file", Defect.too_short, b""),
    ("seven bytes", Defect.too_short, b"\0" * 7),
    ("no header", Defect.header_not_json, struct.pack("<Q", 0) + b"{}"),
    ("header beyond the file", Defect.too_short, struct.pack("<Q", 100) + b"{}"),
    ("header of 2^63 bytes", Defect.header_too_large, struct.pack("<Q", 2**63) + b"{}"),
    ("header above the cap", Defect.header_too_large, struct.pack("<Q", MAX_HEADER_BYTES + 1) + b"{}"),
    ("not JSON", Defect.header_not_json, encoded(b"{nope}")),
    ("a list", Defect.header_not_json, encoded([1])),
    ("-0 as an offset", Defect.bad_offsets, encoded(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[-0,8]}}')),
    ("side of 2^64", Defect.bad_shape, encoded({"a": entry(shape=(0, 2**64), span=(0, 0))})),
    ("half bytes", Defect.size_mismatch, encoded({"a": entry("F4", (3,), (0, 2))}, b"\0" * 2)),
    ("metadata twice", Defect.duplicate_name, encoded(b'{"__metadata__":null,"__metadata__":null,"a":1}')),
    ("number out of range", Defect.header_not_json, encoded(b'{"a":1e400}')),
    ("lone surrogate in metadata", Defect.bad_name, encoded({"__metadata__": {"a": "\ud800"}, "a": entry()})),
    ("nested in an entry", Defect.bad_entry, encoded({"a": entry() | {"x": nested(126)}})),
    ("not UTF-8", Defect.header_not_json, encoded(b'{"\xff":1}')),
    ("NaN", Defect.header_not_json, encoded(b'{"a":NaN}')),
    ("nested too deep", Defect.header_not_json, encoded(b'{"a":' + b"[" * 200_000 + b"}")),
    ("trailing text", Defect.header_not_json, encoded(b'{"a":1}x')),
    ("name twice", Defect.duplicate_name, encoded(b'{"a":1,"a":2}')),
    ("key of an entry twice", Defect.duplicate_name, encoded(b'{"a":{"dtype":"F32","dtype":"F16"}}')),
    ("no tensors", Defect.no_tensors, encoded({}, b"")),
    ("only metadata", Defect.no_tensors, encoded({"__metadata__": {"a": "b"}}, b"")),
    ("metadata no object", Defect.bad_metadata, encoded({"__metadata__": "x", "a": entry()})),
    ("metadata of numbers", Defect.bad_metadata, encoded({"__metadata__": {"x": 1}, "a": entry()})),
    ("lone surrogate", Defect.bad_name, encoded(b'{"\\ud800":' + json.dumps(entry()).encode() + b"}")),
    ("entry no object", Defect.bad_entry, encoded({"a": 1})),
    ("entry with less", Defect.bad_entry, encoded({"a": {"dtype": "F32", "shape": [2]}})),
    ("unknown dtype", Defect.unknown_dtype, encoded({"a": entry("F33")})),
    ("dtype no text", Defect.unknown_dtype, encoded({"a": entry(dtype=32)})),
    ("shape no list", Defect.bad_shape, encoded({"a": entry(shape=2)})),
    ("negative side", Defect.bad_shape, encoded({"a": entry(shape=(-2,))})),
    ("fractional side", Defect.bad_shape, encoded({"a": entry(shape=(2.0,))})),
    ("true as a side", Defect.bad_shape, encoded({"a": entry(shape=(2, True))})),
    ("empty beyond counting", Defect.bad_shape, encoded({"a": entry(shape=(0, 2**32, 2**31), span=(0, 0))}, b"")),
    ("offsets no list", Defect.bad_offsets, encoded({"a": entry(span=8)})),
    ("three offsets", Defect.bad_offsets, encoded({"a": entry(span=(0, 8, 8))})),
    ("end before start", Defect.bad_offsets, encoded({"a": entry(span=(8, 0))})),
    ("negative offset", Defect.bad_offsets, encoded({"a": entry(span=(-8, 0))})),
    ("span too small", Defect.size_mismatch, encoded({"a": entry(span=(0, 4))}, b"\0" * 4)),
    ("huge product", Defect.bad_shape, encoded({"a": entry(shape=(2**40, 2**40))})),
    ("gap in front", Defect.gap, encoded({"a": entry(span=(8, 16))}, b"\0" * 16)),
    ("gap between", Defect.gap, encoded({"a": entry(), "b": entry(span=(16, 24))}, b"\0" * 24)),
    ("overlap", Defect.overlap, encoded({"a": entry(), "b": entry(span=(4, 12))}, b"\0" * 12)),
    ("same place twice", Defect.overlap, encoded({"a": entry(), "b": entry()})),
    ("data too short", Defect.wrong_length, encoded({"a": entry()}, b"\0" * 7)),
    ("data too long", Defect.wrong_length, encoded({"a": entry()}, b"\0" * 9)),
]


@pytest.mark.parametrize(("defect", "data"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_malformed_is_named(tmp_path: Path, defect: Defect, data: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(MalformedFileError) as error:
        read_header(path)
    assert error.value.defect is defect


def test_every_defect_of_a_header_is_in_the_table() -> None:
    assert {row[1] for row in MALFORMED} == set(Defect) - {Defect.not_finite, Defect.not_safetensors}


def test_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(FileMissingError):
            read_header(path)


def test_empty_tensors_share_an_offset(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(
        encoded({"a": entry(shape=(0, 3), span=(0, 0)), "b": entry(), "c": entry(shape=(0,), span=(8, 8))})
    )
    header = read_header(path)
    assert header.parameters == 2
    assert list(header.tensors) == ["a", "b", "c"]


def test_laid_out_header_reads_back(tmp_path: Path) -> None:
    specs = {"b": TensorSpec("F32", (3,)), "a": TensorSpec("BF16", (2, 2)), "ü": TensorSpec("I64", ())}
    header, head = lay_out(specs, {"k": "v"})
    path = tmp_path / "x"
    path.write_bytes(head + b"\0" * (header.file_bytes - len(head)))
    assert read_header(path) == header
    assert file_bytes(specs, {"k": "v"}) == path.stat().st_size == header.file_bytes
    assert header.data_start % 8 == 0
