"""Torch tensors in and out of safetensors files, by memory mapping."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from .atomic import replacing, write_all
from .digest import digest_buffers
from .errors import FileMissingError, UnreadableTypeError
from .header import Header, TensorSpec, lay_out, read_header_fd

TORCH_DTYPES: dict[str, torch.dtype] = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E8M0": torch.float8_e8m0fnu,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "I16": torch.int16,
    "U16": torch.uint16,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I32": torch.int32,
    "U32": torch.uint32,
    "F32": torch.float32,
    "C64": torch.complex64,
    "F64": torch.float64,
    "I64": torch.int64,
    "U64": torch.uint64,
}
"""Those of 4 and 6 bits are not here: torch has no type for one such element."""
_NAMES = {dtype: name for name, dtype in TORCH_DTYPES.items()}


def spec_of(tensor: Tensor) -> TensorSpec:
    if tensor.dtype not in _NAMES:
        raise TypeError(f"{tensor.dtype} has no place in a safetensors file")
    return TensorSpec(_NAMES[tensor.dtype], tuple(tensor.shape))


def bytes_of(tensor: Tensor) -> memoryview:
    """The tensor's bytes, row-major; no copy where it is contiguous and on the CPU."""
    flat = tensor.detach().cpu().contiguous().resolve_conj().resolve_neg().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def digest_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Model digest (see `digest`) of tensors in memory: equal to that of the file that would be written."""
    return digest_buffers({name: (spec_of(tensor), bytes_of(tensor)) for name, tensor in tensors.items()})


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors that are views on the mapped file: nothing is read before it is used.

    Copy-on-write: writing to them changes neither the file nor another mapping.
    A file that is cut while it is mapped ends the process (SIGBUS): registered files are replaced, never changed.
    Raises FileMissingError, MalformedFileError, UnreadableTypeError.
    """
    mapping, header = map_file(path)
    return {name: mapped_view(mapping, spec, header.offsets[name]) for name, spec in header.tensors.items()}


def map_file(path: Path) -> tuple[mmap.mmap, Header]:
    """As `load_tensors`: the whole file, copy-on-write, and where each tensor lies in it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise FileMissingError(f"{path.name} is not there") from error
    try:
        header = read_header_fd(fd)
        for name, spec in header.tensors.items():
            if spec.dtype not in TORCH_DTYPES:
                raise UnreadableTypeError(f"{path.name}: `{name}` is {spec.dtype}, a type that torch cannot read")
        return mmap.mmap(fd, header.file_bytes, access=mmap.ACCESS_COPY), header
    finally:
        os.close(fd)


@contextmanager
def mapped_file(
    path: Path,
    tensors: Mapping[str, TensorSpec],
    metadata: Mapping[str, str] | None = None,
    *,
    durable: bool = True,
) -> Iterator[dict[str, Tensor]]:
    """Lay out a safetensors file and yield name → view on it, all zero: what is written there is the file.

    When the block ends the file appears at `path` (atomic; see `atomic.replacing` for `durable`); after an
    exception nothing is left. Don't write to the views afterwards: they still map the file.
    Raises OSError (ENOSPC) before anything is drawn where the disk can't take the file.
    """
    header, head = lay_out(tensors, metadata)
    with replacing(path, durable=durable) as fd:
        # reserve the blocks: on a full disk a write through a mapping is a SIGBUS, not an error
        os.posix_fallocate(fd, 0, header.file_bytes)
        write_all(fd, head)
        mapping = mmap.mmap(fd, header.file_bytes)
        # in the caller's order: state_dict order reads better than the file's
        yield {name: mapped_view(mapping, spec, header.offsets[name]) for name, spec in tensors.items()}


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None, *, durable: bool = True
) -> None:
    """Write a safetensors file, atomically."""
    header, head = lay_out({name: spec_of(tensor) for name, tensor in tensors.items()}, metadata)
    with replacing(path, durable=durable) as fd:
        write_all(fd, head)
        for name in header.tensors:
            write_all(fd, bytes_of(tensors[name]))


def write_pt(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a state dict by `torch.save`, atomically. Loads anywhere with `weights_only=True`."""
    with replacing(path) as fd, os.fdopen(os.dup(fd), "wb") as file:
        # through a file object: given a path, torch writes its stem into the archive, and the bytes would differ
        torch.save(dict(tensors), file)


def mapped_view(mapping: mmap.mmap, spec: TensorSpec, offset: int) -> Tensor:
    """The tensor of this type and shape whose bytes begin at `offset`; a copy where its type is not aligned there."""
    dtype = TORCH_DTYPES[spec.dtype]
    if spec.elements == 0:
        return torch.empty(spec.shape, dtype=dtype)
    if offset % dtype.itemsize:
        # only files of other writers: torch needs aligned elements
        raw = bytearray(mapping[offset : offset + spec.bytes])
        return torch.frombuffer(raw, dtype=dtype).view(spec.shape)
    return torch.frombuffer(mapping, dtype=dtype, count=spec.elements, offset=offset).view(spec.shape)
