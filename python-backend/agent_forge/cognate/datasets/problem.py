"""What a dataset yields, and how every problem belongs to exactly one split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol

from ...contract.cognate import Specialization
from ..draws import Draws


class Split(StrEnum):
    train = "train"
    selection = "selection"
    """What evolution is selected by."""
    heldout = "heldout"
    """What is reported; never trained on, never selected by."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A text problem with its exact answer.

    `hints` are intermediate results: at character `index` of the prompt the model should say `character`, although
    the text goes on with something else. They are labels in training and never count in a score.
    """

    prompt: str
    answer: str
    hints: tuple[tuple[int, str], ...] = ()
    choices: tuple[str, ...] = ()
    """Of a multiple choice: the answer is one of them. TinyTitans have to say it, causal language models to prefer it.
    """


class Dataset(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def family(self) -> Specialization | None:
        """None: text that belongs to every family."""

    @property
    def by_character(self) -> bool:
        """Built-in problems are spelled one token a character with any tokenizer, so that hints keep their place."""

    def draw(self, draws: Draws, split: Split) -> Problem: ...

    def problems(self, split: Split, count: int) -> list[Problem]:
        """The first `count` problems of a split, always the same; fewer where the dataset is smaller."""


def different(draw: Callable[[], Problem], count: int) -> list[Problem]:
    """As many different problems as were drawn by then; small spaces repeat after 20 tries each."""
    found: dict[str, Problem] = {}
    for _ in range(20 * count):
        problem = draw()
        found.setdefault(problem.prompt, problem)
        if len(found) == count:
            break
    return list(found.values())


def split_of(text: str) -> Split:
    """By a hash of the content alone: 6/8 train, 1/8 selection, 1/8 held out. No seed moves a problem."""
    bucket = blake2b(text.encode(), digest_size=4).digest()[0] & 7
    return Split.selection if bucket == 6 else Split.heldout if bucket == 7 else Split.train
