"""Needles beyond the attention window: pairs, a window's length of noise, then questions."""

from __future__ import annotations

from string import ascii_lowercase

from ..draws import Draws
from .problem import Problem

DESCRIPTION = (
    "Letters with a capital each, then noise longer than the attention window, then questions for the capitals."
)

_NOISE = ".,;:"
_VALUES = "ABCDEFGHIJ"


def generate(draws: Draws, difficulty: int, window: int) -> Problem:
    """`kHqC....?q` → `C`: 2 + 2·difficulty pairs; the noise puts every pair out of the window of every question.

    Every letter is asked for once; all but the last are answered in the prompt, and are labels in training. Length:
    window + 10 + 10·difficulty characters.
    """
    keys = draws.sample(ascii_lowercase, 2 + 2 * difficulty)
    pairs = [(key, draws.choice(_VALUES)) for key in keys]
    # A question's letter reads `window` tokens back, itself included: with this much noise the last pair is older.
    noise = "".join(draws.choice(_NOISE) for _ in range(window))
    asked = draws.sample(pairs, len(pairs))
    text = "".join(key + value for key, value in pairs) + noise
    hints: list[tuple[int, str]] = []
    for key, value in asked[:-1]:
        text += f"?{key}"
        hints.append((len(text) - 1, value))
        text += value
    key, value = asked[-1]
    return Problem(f"{text}?{key}", value, tuple(hints))
