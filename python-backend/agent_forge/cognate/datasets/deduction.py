"""Chains of implications in random order: what follows from a premise, and from that, and so on."""

from __future__ import annotations

from itertools import pairwise
from string import ascii_lowercase

from ..draws import Draws
from .problem import Problem

DESCRIPTION = "Implications in random order (`ab` says that b follows from a), then a premise: all that follows."


def generate(draws: Draws, difficulty: int, window: int) -> Problem:
    """`cd,ab,bc,xy:a` → `bcd`: 1 + difficulty steps among as many distractors. Up to 46 characters."""
    steps = 1 + difficulty
    letters = draws.sample(ascii_lowercase, 2 * (steps + 1))
    chain, other = letters[: steps + 1], letters[steps + 1 :]
    rules = [a + b for names in (chain, other) for a, b in pairwise(names)]
    draws.shuffle(rules)
    return Problem(f"{','.join(rules)}:{chain[0]}", "".join(chain[1:]))
