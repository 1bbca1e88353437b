"""NaN and infinity in a file's tensors, found without torch: by the bits of the exponent."""

from __future__ import annotations

import os

import numpy as np

from .error import Defect, MalformedFileError
from .header import DTYPES, Header

_CHUNK = 2**20
_EXPONENTS: dict[str, int] = {
    "F8_E5M2": 0x7C,
    "F8_E4M3": 0x7F,
    "F16": 0x7C00,
    "BF16": 0x7F80,
    "F32": 0x7F80_0000,
    "C64": 0x7F80_0000,
    "F64": 0x7FF0_0000_0000_0000,
}
"""All of these bits are set in NaN and infinity, and in no other number (F8_E4M3 has no infinity)."""


def require_finite(fd: int, header: Header) -> None:
    """Raises MalformedFileError (not_finite), naming the first tensor that holds NaN or infinity."""
    for name, spec in header.tensors.items():
        mask = _EXPONENTS.get(spec.dtype)
        if mask is None:
            continue
        width = 4 if spec.dtype == "C64" else DTYPES[spec.dtype]
        bits = np.dtype(f"<u{width}").type(mask)
        for start in range(0, spec.bytes, _CHUNK):
            chunk = os.pread(fd, min(_CHUNK, spec.bytes - start), header.offsets[name] + start)
            if len(chunk) != min(_CHUNK, spec.bytes - start):
                raise MalformedFileError(Defect.wrong_length, "the file became shorter while it was read")
            if np.any((np.frombuffer(chunk, dtype=bits.dtype) & bits) == bits):
                raise MalformedFileError(Defect.not_finite, f"{name!r} holds NaN or infinity")
