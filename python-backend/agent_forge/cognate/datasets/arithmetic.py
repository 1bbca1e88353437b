"""Chains of digits under +, − and ×, from left to right, modulo 10."""

from __future__ import annotations

from agent_forge.cognate.draws import Draws

from .problem import Problem

DESCRIPTION = "Digits under +, - and *, evaluated from left to right modulo 10; every partial result is a label."

_TERMS = {1: 3, 2: 4, 3: 4, 4: 5, 5: 8}
_OPERATORS = {1: "+", 2: "+", 3: "+-", 4: "+-*", 5: "+-*"}


def apply(left: int, operator: str, right: int) -> int:
    if operator == "+":
        return (left + right) % 10
    if operator == "-":
        return (left - right) % 10
    return (left * right) % 10


def generate(draws: Draws, difficulty: int, window: int) -> Problem:
    """`7+5-3=` → `9`, with the hint 2 at the digit 5. Up to 16 characters."""
    total = draws.below(10)
    text = str(total)
    hints: list[tuple[int, str]] = []
    for _ in range(_TERMS[difficulty] - 1):
        operator, term = draws.choice(_OPERATORS[difficulty]), draws.below(10)
        total = apply(total, operator, term)
        text += f"{operator}{term}"
        hints.append((len(text) - 1, str(total)))
    return Problem(f"{text}=", str(total), tuple(hints))
