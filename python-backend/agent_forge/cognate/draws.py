"""Random numbers as a pure function of a key: the same on every machine, independent of any global state."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


def key_of(*parts: object) -> bytes:
    """Digest of a key such as `(seed, stage, step)`; parts are separated, so that `("a", "bc")` ≠ `("ab", "c")`."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=32).digest()


def seed_of(*parts: object) -> int:
    """A 63-bit seed for `torch.Generator.manual_seed` from a key."""
    return int.from_bytes(key_of(*parts)[:8], "little") >> 1


class Draws:
    """A stream of numbers from a key: BLAKE2b in counter mode, four bytes a draw."""

    __slots__ = ("_block", "_counter", "_key", "_offset")

    def __init__(self, *key: object) -> None:
        self._key = key_of(*key)
        self._counter = 0
        self._offset = 64
        self._block = b""

    def _word(self) -> int:
        if self._offset == 64:
            self._block = blake2b(self._counter.to_bytes(8, "little"), key=self._key).digest()
            self._counter += 1
            self._offset = 0
        word = int.from_bytes(self._block[self._offset : self._offset + 4], "little")
        self._offset += 4
        return word

    def below(self, bound: int) -> int:
        """Uniform in 0 … bound − 1; `bound` up to 2²⁰, where the modulo's bias is below 2⁻¹²."""
        return self._word() % bound

    def between(self, low: int, high: int) -> int:
        """Uniform in low … high, both included."""
        return low + self.below(high - low + 1)

    def unit(self) -> float:
        """Uniform in [0, 1)."""
        return self._word() / 2**32

    def choice(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Fisher–Yates, in place."""
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different items, in random order."""
        pool = list(items)
        for i in range(count):
            j = i + self.below(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:count]
