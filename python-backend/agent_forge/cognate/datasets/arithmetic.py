"""Chains of digits under +, − and ×, from left to right, modulo 10."""

from __future__ import annotations

from dataclasses import dataclass

from ..draws import Draws
from .problem import Problem

DESCRIPTION = "Digits under +, - and *, evaluated from left to right modulo 10; every partial result is a label."


@dataclass(frozen=True)
class _Level:
    terms: int
    operators: str
    below: int
    """Terms after the first are below this: fewer facts to learn."""


_LEVELS = {
    1: _Level(3, "+", 4),
    2: _Level(4, "+", 6),
    3: _Level(4, "+-", 10),
    4: _Level(5, "+-*", 10),
    5: _Level(8, "+-*", 10),
}


def apply(left: int, operator: str, right: int) -> int:
    if operator == "+":
        return (left + right) % 10
    if operator == "-":
        return (left - right) % 10
    return (left * right) % 10


def generate(draws: Draws, difficulty: int, window: int) -> Problem:
    """`7+5+3=` → `5`, with the hint 2 at the digit 5. Up to 16 characters."""
    level = _LEVELS[difficulty]
    total = draws.below(10)
    text = str(total)
    hints: list[tuple[int, str]] = []
    for _ in range(level.terms - 1):
        operator, term = draws.choice(level.operators), draws.below(level.below)
        total = apply(total, operator, term)
        text += f"{operator}{term}"
        hints.append((len(text) - 1, str(total)))
    return Problem(f"{text}=", str(total), tuple(hints))
