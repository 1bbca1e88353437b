"""Random numbers of merge ops, from counters.

Philox keyed by SHA-256 of (seed, op, tensor name, purpose): every tensor has streams of its own, and entry i draws
number i of a stream, whatever the order or the thread that it is drawn in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .philox import Words

LEVELS = 1 << 16
"""Probabilities are multiples of 1/LEVELS."""


@dataclass(frozen=True)
class Draw:
    """Where one tensor's random numbers in one node of a recipe come from."""

    seed: int
    op: str
    tensor: str

    def stream(self, purpose: int | str = 0) -> Words:
        """The key, (2,), of a stream of words; integers of 16 bits are their halves, the lower first.

        purpose: index of the input, or a word; each has its own stream.
        """
        text = f"{self.seed}\x1f{self.op}\x1f{self.tensor}\x1f{purpose}"
        return np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], dtype="<u4").astype(np.uint32)
