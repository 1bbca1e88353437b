"""The header of a safetensors file: read, checked and laid out without torch.

A file is: length of the header (u64, little-endian), header (JSON, padded with spaces to a multiple of 8),
tensor data. The layout is the one of the `safetensors` library (largest dtypes first, then by name), so that
files of the same tensors and metadata are equal byte for byte, whichever of the two wrote them.
Format: https://huggingface.co/docs/safetensors/index#format

What safetensors 0.8 accepts is accepted, and nothing else, with these exceptions, which are refused:
- no tensors at all: there is nothing to keep;
- a name twice in one object: readers differ in which of the two counts, so the file would be two models;
- an entry that is a list, a dtype that is an object: accidents of the library's JSON reader, which its format lacks;
- a header above 16 MiB (the library: 100 MB): it is parsed in memory, which takes ten times its size;
- a shape whose sides, zeros apart, multiply to 2^63 or more: no array library can hold such an (empty) tensor.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .dtype import BITS
from .errors import Defect, FileMissingError, MalformedFileError
from .foreign import HEAD_BYTES, foreign
from .header_text import MOST_NESTED, depth, parse_table

MAX_HEADER_BYTES = 16 * 2**20
"""Refused above this before anything is parsed. 10,000 tensors need about 1 MiB."""

_MOST_ELEMENTS = 2**63

_KEYS = {"dtype", "shape", "data_offsets"}
_MOST_INSIDE = MOST_NESTED - 2
"""Levels of a value in an entry of the table."""

_ORDER = {dtype: rank for rank, dtype in enumerate(BITS)}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What fixes a tensor's size."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * BITS[self.dtype] // 8


@dataclass(frozen=True, slots=True)
class Header:
    """Where each tensor lies. `tensors` is in file order; offsets are absolute, in bytes."""

    tensors: dict[str, TensorSpec]
    offsets: dict[str, int]
    metadata: dict[str, str]
    data_start: int
    file_bytes: int

    @property
    def parameters(self) -> int:
        return sum(spec.elements for spec in self.tensors.values())

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: spec.shape for name, spec in self.tensors.items()}


def lay_out(tensors: Mapping[str, TensorSpec], metadata: Mapping[str, str] | None = None) -> tuple[Header, bytes]:
    """The header of a file with these tensors, and its bytes (the length in front included)."""
    names = sorted(tensors, key=lambda name: (-_ORDER[tensors[name].dtype], name.encode()))
    table: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    offsets: dict[str, int] = {}
    end = 0
    for name in names:
        offsets[name], end = end, end + tensors[name].bytes
        shape = list(tensors[name].shape)
        table[name] = {"dtype": tensors[name].dtype, "shape": shape, "data_offsets": [offsets[name], end]}
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    start = 8 + len(text)
    header = Header(
        tensors={name: tensors[name] for name in names},
        offsets={name: start + offset for name, offset in offsets.items()},
        metadata=dict(metadata or {}),
        data_start=start,
        file_bytes=start + end,
    )
    return header, struct.pack("<Q", len(text)) + text


def float32(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, TensorSpec]:
    return {name: TensorSpec("F32", shape) for name, shape in shapes.items()}


def file_bytes(tensors: Mapping[str, TensorSpec], metadata: Mapping[str, str] | None = None) -> int:
    """Exact size on disk of the file that `lay_out` describes."""
    return lay_out(tensors, metadata)[0].file_bytes


def read_header(path: Path) -> Header:
    """Header of the file at `path`.

    Raises FileMissingError, or MalformedFileError where header and length of the file don't fit together.
    """
    try:
        with path.open("rb") as file:
            return read_header_fd(file.fileno())
    except (FileNotFoundError, IsADirectoryError) as error:
        raise FileMissingError(f"{path.name} is not there") from error


def read_header_fd(fd: int) -> Header:
    size = os.fstat(fd).st_size
    length = header_length(os.pread(fd, HEAD_BYTES, 0), size)
    return parse_header(os.pread(fd, length, 8), size)


def header_length(first: bytes, size: int | None = None) -> int:
    """Length of the JSON text, from the first bytes of a file of `size` bytes (null while it streams in).

    `first`: 8 bytes or more; with `foreign.HEAD_BYTES` an error can say most.
    """
    if len(first) < 8:
        raise MalformedFileError(Defect.too_short, f"{len(first)} bytes are too few for a safetensors file")
    (length,) = struct.unpack("<Q", first[:8])
    if length > MAX_HEADER_BYTES:
        raise foreign(first) or MalformedFileError(
            Defect.header_too_large, f"the header claims {length} bytes, {MAX_HEADER_BYTES} at most"
        )
    if size is not None and 8 + length > size:
        raise foreign(first) or MalformedFileError(
            Defect.too_short, f"the header claims {length} bytes, the file has {size} in all"
        )
    return int(length)


def parse_header(text: bytes, size: int | None = None) -> Header:
    """Check the JSON text of a header, and against a file of `size` bytes (null while it streams in).

    Raises MalformedFileError at the first defect.
    """
    table = parse_table(text)
    metadata = table.pop("__metadata__", None)
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise MalformedFileError(Defect.bad_metadata, "__metadata__ must map text to text")
    if not table:
        raise MalformedFileError(Defect.no_tensors, "the file has no tensors")
    entries = [(name, *_entry(name, value)) for name, value in table.items()]
    entries.sort(key=lambda entry: (entry[2], entry[3]))
    start = 8 + len(text)
    end = 0
    for name, _, begin, stop in entries:
        if begin != end:
            defect, word = (Defect.overlap, "overlaps") if begin < end else (Defect.gap, "leaves a gap after")
            raise MalformedFileError(defect, f"{name!r} starts at {begin}, which {word} the tensor that ends at {end}")
        end = stop
    if size is not None and start + end != size:
        raise MalformedFileError(Defect.wrong_length, f"the header describes {start + end} bytes, the file has {size}")
    return Header(
        tensors={name: spec for name, spec, _, _ in entries},
        offsets={name: start + begin for name, _, begin, _ in entries},
        metadata=metadata,
        data_start=start,
        file_bytes=start + end,
    )


def _entry(name: str, value: Any) -> tuple[TensorSpec, int, int]:
    if not isinstance(value, dict) or not value.keys() >= _KEYS:
        raise MalformedFileError(Defect.bad_entry, f"{name!r} must have dtype, shape and data_offsets")
    if any(depth(value[key]) > _MOST_INSIDE for key in value.keys() - _KEYS):
        raise MalformedFileError(Defect.bad_entry, f"{name!r} is nested more than {MOST_NESTED} levels deep")
    dtype, shape, span = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise MalformedFileError(Defect.unknown_dtype, f"{name!r} has the unknown dtype {str(dtype)[:40]!r}")
    if not isinstance(shape, list) or not all(_is_size(side) for side in shape) or not _countable(shape):
        raise MalformedFileError(Defect.bad_shape, f"{name!r} has no valid shape")
    if not isinstance(span, list) or len(span) != 2 or not all(_is_size(at) for at in span) or span[0] > span[1]:
        raise MalformedFileError(Defect.bad_offsets, f"{name!r} has no valid data_offsets")
    spec = TensorSpec(dtype, tuple(shape))
    if spec.elements * BITS[dtype] % 8:
        raise MalformedFileError(
            Defect.size_mismatch, f"{name!r} has {spec.elements} elements of {dtype}, which do not fill whole bytes"
        )
    if spec.bytes != span[1] - span[0]:
        raise MalformedFileError(
            Defect.size_mismatch, f"{name!r} needs {spec.bytes} bytes, its data_offsets give {span[1] - span[0]}"
        )
    return spec, span[0], span[1]


def _is_size(value: Any) -> bool:
    # bool is an int to isinstance
    return type(value) is int and 0 <= value < 2**64


def _countable(shape: list[int]) -> bool:
    product = 1
    for side in shape:
        product *= side or 1
        # at once, not at the end: the product of a million sides is a number of megabytes
        if product >= _MOST_ELEMENTS:
            return False
    return True
