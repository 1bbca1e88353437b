"""Random numbers of merge ops, from counters.

Philox4x64-10 (Salmon et al. 2011) keyed by SHA-256 of (seed, op, tensor name, purpose): every tensor has streams of
its own, and each of their chunks starts at its own counter, whatever the order or the thread that it is drawn in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from .chunks import CHUNK

LEVELS = 1 << 16
"""Probabilities are multiples of 1/LEVELS."""


@dataclass(frozen=True)
class Stream:
    """Uniform integers, addressed by position; a 64-bit word of the generator gives its lower part first."""

    key: bytes

    @cached_property
    def _key(self) -> npt.NDArray[np.uint64]:
        return np.frombuffer(self.key[:16], dtype="<u8").astype(np.uint64)

    def _raw(self, word: int, count: int) -> npt.NDArray[np.uint64]:
        """`count` words from number `word` on, which is a multiple of 4: a counter gives four."""
        philox = np.random.Philox(key=self._key, counter=word // 4)
        return np.atleast_1d(philox.random_raw(count)).astype("<u8", copy=False)

    def levels(self, position: int, count: int) -> npt.NDArray[np.uint16]:
        """The 16-bit integers number `position` and following."""
        skipped = position % 16
        words = self._raw((position - skipped) // 4, (skipped + count + 3) // 4)
        return words.view("<u2")[skipped : skipped + count]

    def chosen(self, chunk: int, count: int, rate: float) -> npt.NDArray[np.bool_]:
        """For each of the `count` entries of a chunk, whether it is chosen, with probability `rate` (to 2⁻¹⁷)."""
        return below(self.levels(chunk * CHUNK, count), rate)

    def normals(self, chunk: int, count: int) -> npt.NDArray[np.float64]:
        """Standard normal by inversion of the 32-bit integers number chunk·CHUNK and following.

        Rounded to 2⁻²⁰, so that the last digit of a libm does not show.
        """
        words = self._raw(chunk * CHUNK // 2, (count + 1) // 2).view("<u4")[:count]
        return np.round(ndtri((words.astype(np.float64) + 0.5) / 2**32) * 2**20) / 2**20


def below(levels: npt.NDArray[np.uint16], rate: float) -> npt.NDArray[np.bool_]:
    """True with probability `rate`."""
    threshold = round(rate * LEVELS)
    return levels < np.uint16(threshold) if threshold < LEVELS else np.ones(levels.shape, dtype=np.bool_)


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
