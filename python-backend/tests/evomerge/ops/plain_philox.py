"""Philox4x32-10 as Salmon et al. 2011 write it down, in Python's integers."""

from __future__ import annotations

_MULTIPLIERS, _WEYL, _ROUNDS = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85), 10


def philox4x32(key: tuple[int, int], counter: int) -> list[int]:
    """The four words of a counter."""
    words, k = [counter & 0xFFFFFFFF, counter >> 32, 0, 0], list(key)
    for _ in range(_ROUNDS):
        (upper0, lower0), (upper1, lower1) = (
            divmod(multiplier * words[2 * index], 1 << 32) for index, multiplier in enumerate(_MULTIPLIERS)
        )
        words = [upper1 ^ words[1] ^ k[0], lower1, upper0 ^ words[3] ^ k[1], lower0]
        k = [(part + step) % (1 << 32) for part, step in zip(k, _WEYL, strict=True)]
    return words
