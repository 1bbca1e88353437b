"""Random numbers of merge ops, from counters.

Philox4x64-10 (Salmon et al. 2011) keyed by SHA-256 of (seed, op, tensor name, input): every tensor has a
stream of its own, whatever the order or the thread that it is drawn in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri


class Stream:
    """Uniform 32-bit words, in order."""

    def __init__(self, key: bytes) -> None:
        self._philox = np.random.Philox(key=np.frombuffer(key[:16], dtype="<u8").astype(np.uint64))

    def words(self, count: int) -> npt.NDArray[np.uint32]:
        """The next `count` words; a request of odd length drops one."""
        raw = np.atleast_1d(self._philox.random_raw((count + 1) // 2))
        return raw.astype("<u8", copy=False).view("<u4")[:count]

    def chosen(self, count: int, rate: float) -> npt.NDArray[np.bool_]:
        """For each of the next `count` entries, whether it is chosen, with probability `rate` (to 2⁻³²)."""
        return self.words(count) < np.uint64(round(rate * 2**32))

    def normals(self, count: int) -> npt.NDArray[np.float64]:
        """Standard normal by inversion, rounded to 2⁻²⁰ so that the last digit of a libm does not show."""
        uniform = (self.words(count).astype(np.float64) + 0.5) / 2**32
        return np.round(ndtri(uniform) * 2**20) / 2**20


@dataclass(frozen=True)
class Draw:
    """Where one tensor's random numbers in one node of a recipe come from."""

    seed: int
    op: str
    tensor: str

    def stream(self, purpose: int | str = 0) -> Stream:
        """purpose: index of the input, or a word; each has its own stream."""
        text = f"{self.seed}\x1f{self.op}\x1f{self.tensor}\x1f{purpose}"
        return Stream(hashlib.sha256(text.encode()).digest())
