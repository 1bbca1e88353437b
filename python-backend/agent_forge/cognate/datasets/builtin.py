"""Built-in datasets: a generator of problems, its splits by rejection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...contract.cognate import Specialization
from ..draws import Draws
from .problem import Problem, Split, different, split_of

Generator = Callable[[Draws, int, int], Problem]
"""(draws, difficulty 1 to 5, attention window in tokens) → a problem."""


@dataclass(frozen=True)
class Builtin:
    """A generator at one difficulty; every problem of it belongs to the split that its prompt hashes to."""

    name: str
    family: Specialization
    generator: Generator
    difficulty: int
    window: int
    by_character: bool = True

    def draw(self, draws: Draws, split: Split) -> Problem:
        while True:
            problem = self.generator(draws, self.difficulty, self.window)
            if split_of(problem.prompt) is split:
                return problem

    def problems(self, split: Split, count: int) -> list[Problem]:
        """Different problems as far as the generator has that many; small spaces repeat after 20 tries each."""
        draws = Draws("problems", self.name, self.difficulty, self.window, split)
        return different(lambda: self.draw(draws, split), count)
