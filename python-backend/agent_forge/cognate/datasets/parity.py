"""Parity of a bit string of variable length."""

from __future__ import annotations

from collections.abc import Sequence

from ..draws import Draws
from .problem import Problem

DESCRIPTION = "Whether a string of bits has an odd number of ones; the parity so far is a label at every bit."


def generate(draws: Draws, difficulty: int, window: int) -> Problem:
    """`10110=` → `1`: between 4 and 4 + 6·difficulty bits, at most 34."""
    return problem([draws.below(2) for _ in range(draws.between(4, 4 + 6 * difficulty))])


def problem(bits: Sequence[int]) -> Problem:
    odd = 0
    hints: list[tuple[int, str]] = []
    for index, bit in enumerate(bits):
        odd ^= bit
        hints.append((index, str(odd)))
    return Problem("".join(map(str, bits)) + "=", str(odd), tuple(hints))
