"""The model digest: what a model *is*, whatever the order, header or format of its file.

SHA-256 over one record per tensor, sorted by the UTF-8 bytes of the name, each record being

    u32 length of name | name in UTF-8 | u32 length of dtype | dtype in ASCII, as safetensors names it ("F32")
    u32 rank | u64 each side of the shape | 32 bytes: SHA-256 of the tensor's bytes, row-major

with all numbers little-endian. Tensors are hashed separately, so that cores share the work (hashlib lets go of
the interpreter's lock) and a tensor that didn't change needs no new hash.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .errors import Defect, FileMissingError, MalformedFileError
from .header import Header, TensorSpec, read_header_fd

if sys.byteorder != "little":
    raise ImportError("digests are defined over little-endian bytes; this machine is big-endian")

CHUNK = 2**20
"""Bytes read at once: stays in the second-level cache between read and hash."""

_ALONE = 2**23
"""Bytes in all up to which waking threads costs more than it gains."""


@dataclass(frozen=True, slots=True)
class FileDigest:
    """Everything that one pass over a file finds."""

    header: Header
    digest: str
    """Of the model."""
    file_sha256: str
    """Of the whole file, as `sha256sum` prints it."""


def combine(tensors: Iterable[tuple[str, TensorSpec, bytes]]) -> str:
    """Model digest from (name, dtype and shape, SHA-256 of the bytes) of each tensor, in any order."""
    total = hashlib.sha256()
    for name, spec, sha in sorted((name.encode(), spec, sha) for name, spec, sha in tensors):
        dtype = spec.dtype.encode()
        total.update(struct.pack("<I", len(name)) + name + struct.pack("<I", len(dtype)) + dtype)
        total.update(struct.pack(f"<I{len(spec.shape)}Q", len(spec.shape), *spec.shape) + sha)
    return total.hexdigest()


def digest_buffers(tensors: Mapping[str, tuple[TensorSpec, memoryview]]) -> str:
    """Model digest of tensors in memory; each buffer is the tensor's bytes, row-major."""
    if sum(buffer.nbytes for _, buffer in tensors.values()) <= _ALONE:
        return combine((name, spec, _sha256(buffer)) for name, (spec, buffer) in tensors.items())
    with ThreadPoolExecutor(_threads()) as pool:
        hashes = [pool.submit(_sha256, buffer) for _, buffer in tensors.values()]
        return combine(
            (name, spec, future.result()) for (name, (spec, _)), future in zip(tensors.items(), hashes, strict=True)
        )


def digest_file(path: Path) -> FileDigest:
    """Check the header, then hash each tensor and the whole file side by side: from disk in one pass.

    Reads instead of mapping, so that a file that is cut meanwhile gives an error and not a SIGBUS.
    Raises FileMissingError, MalformedFileError, OSError.
    """
    found = hash_file(path)
    return FileDigest(found.header, digest_hashes([found]), found.file_sha256)


def hash_file(path: Path) -> FileHashes:
    """As `digest_file`, tensor by tensor."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise FileMissingError(f"{path.name} is not there") from error
    try:
        return hash_fd(fd)
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class FileHashes:
    """As `FileDigest`, tensor by tensor: what models of several files are put together from."""

    header: Header
    tensors: dict[str, bytes]
    """Name → SHA-256 of the bytes."""
    file_sha256: str


def digest_fd(fd: int, *, sync: bool = False) -> FileDigest:
    """As `digest_file`. With `sync`, the file is fsynced meanwhile, on a thread of its own."""
    found = hash_fd(fd, sync=sync)
    return FileDigest(found.header, digest_hashes([found]), found.file_sha256)


def digest_hashes(files: Iterable[FileHashes]) -> str:
    """The digest of the model whose tensors lie in these files: the same, however they are spread over them."""
    return combine((name, spec, file.tensors[name]) for file in files for name, spec in file.header.tensors.items())


def hash_fd(fd: int, *, sync: bool = False) -> FileHashes:
    header = read_header_fd(fd)
    with ThreadPoolExecutor(_threads()) as pool, ThreadPoolExecutor(1) as syncing:
        synced = syncing.submit(os.fsync, fd) if sync else None
        whole = pool.submit(_sha256_span, fd, 0, header.file_bytes)
        parts: dict[str, Future[bytes]] = {
            name: pool.submit(_sha256_span, fd, header.offsets[name], spec.bytes)
            for name, spec in header.tensors.items()
        }
        result = FileHashes(
            header=header,
            tensors={name: future.result() for name, future in parts.items()},
            file_sha256=whole.result().hex(),
        )
        if synced is not None:
            synced.result()
    return result


def sha256_file(path: Path) -> str:
    """SHA-256 of any file's bytes."""
    with path.open("rb") as file:
        return sha256_fd(file.fileno())


def sha256_fd(fd: int) -> str:
    return _sha256_span(fd, 0, os.fstat(fd).st_size).hex()


def _sha256(buffer: memoryview) -> bytes:
    return hashlib.sha256(buffer).digest()


def _sha256_span(fd: int, start: int, length: int) -> bytes:
    total = hashlib.sha256()
    buffer = memoryview(bytearray(min(CHUNK, length)))
    done = 0
    while done < length:
        read = os.preadv(fd, [buffer[: length - done]], start + done)
        if read == 0:
            raise MalformedFileError(Defect.wrong_length, "the file became shorter while it was read")
        total.update(buffer[:read])
        done += read
    return total.digest()


def _threads() -> int:
    return min(len(os.sched_getaffinity(0)), 8)
