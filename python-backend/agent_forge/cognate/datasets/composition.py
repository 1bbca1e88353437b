"""Composition of transpositions: the shell game."""

from __future__ import annotations

from agent_forge.cognate.draws import Draws

from .problem import Problem

DESCRIPTION = "A ball under one of the cups and a number of swaps: where is it? Its place is a label after each swap."


def generate(draws: Draws, difficulty: int, window: int) -> Problem:
    """`2:1223=` → `1`: the ball starts under cup 2, cups 1 and 2 are swapped, then 2 and 3. At most 27 characters."""
    cups = "123" if difficulty <= 2 else "1234" if difficulty <= 4 else "12345"
    place = draws.choice(cups)
    text = f"{place}:"
    hints: list[tuple[int, str]] = []
    for _ in range(draws.between(2, 2 + 2 * difficulty)):
        a, b = draws.sample(cups, 2)
        place = b if place == a else a if place == b else place
        text += a + b
        hints.append((len(text) - 1, place))
    return Problem(f"{text}=", place, tuple(hints))
