"""Composition of transpositions: the shell game."""

from __future__ import annotations

from agent_forge.cognate.draws import Draws

from .problem import Problem

DESCRIPTION = (
    "A ball under a cup, then swaps: `a` of cups 1 and 2, `b` of 2 and 3, …, the last with cup 1. Where is it? "
    "Its place is a label after each swap."
)

_CUPS = {1: 3, 2: 3, 3: 4, 4: 4, 5: 5}


def generate(draws: Draws, difficulty: int, window: int) -> Problem:
    """`2:abb=` → `1`: from cup 2 to 1, and two swaps that do not touch it. Up to 3 + 2 + 2·difficulty characters."""
    cups = _CUPS[difficulty]
    place = draws.between(1, cups)
    text = f"{place}:"
    hints: list[tuple[int, str]] = []
    for _ in range(draws.between(2, 2 + 2 * difficulty)):
        left = draws.between(1, cups)
        right = left % cups + 1
        place = {left: right, right: left}.get(place, place)
        text += "abcde"[left - 1]
        hints.append((len(text) - 1, str(place)))
    return Problem(f"{text}=", str(place), tuple(hints))
