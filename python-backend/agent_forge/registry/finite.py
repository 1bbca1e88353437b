"""NaN and infinity in a file's tensors, found without torch: by their bits."""

from __future__ import annotations

import os

import numpy as np

from .dtype import NO_NUMBERS
from .errors import Defect, MalformedFileError
from .header import Header

_CHUNK = 2**20


def require_finite(fd: int, header: Header) -> None:
    """Raises MalformedFileError (not_finite), naming the first tensor that holds NaN or infinity."""
    for name, spec in header.tensors.items():
        none = NO_NUMBERS.get(spec.dtype)
        if none is None:
            continue
        word = np.dtype(f"<u{none.width}")
        mask, value = word.type(none.mask), word.type(none.value)
        for start in range(0, spec.bytes, _CHUNK):
            chunk = os.pread(fd, min(_CHUNK, spec.bytes - start), header.offsets[name] + start)
            if len(chunk) != min(_CHUNK, spec.bytes - start):
                raise MalformedFileError(Defect.wrong_length, "the file became shorter while it was read")
            if np.any((np.frombuffer(chunk, dtype=word) & mask) == value):
                raise MalformedFileError(Defect.not_finite, f"{name!r} holds NaN or infinity")
