"""Composition of transpositions: the shell game."""

from __future__ import annotations

from ..draws import Draws
from .problem import Problem

DESCRIPTION = (
    "A ball under cup V, W, X, …, then swaps: `!` of the first two cups, `#` of the next, …, the last with the first. "
    "Where is it? Its place is a label after each swap."
)

CUPS = "VWXYZ"
SWAPS = "!#$%&"
"""No symbol is another dataset's: task vectors that write to the same rows get in each other's way."""

_COUNT = {1: 3, 2: 3, 3: 4, 4: 4, 5: 5}


def generate(draws: Draws, difficulty: int, window: int) -> Problem:
    """`W|!##>` → `V`: from cup W to V, and two swaps that do not touch it. Up to 3 + 2 + 2·difficulty characters."""
    count = _COUNT[difficulty]
    place = draws.below(count)
    text = f"{CUPS[place]}|"
    hints: list[tuple[int, str]] = []
    for _ in range(draws.between(2, 2 + 2 * difficulty)):
        left = draws.below(count)
        right = (left + 1) % count
        place = {left: right, right: left}.get(place, place)
        text += SWAPS[left]
        hints.append((len(text) - 1, CUPS[place]))
    return Problem(f"{text}>", CUPS[place], tuple(hints))
