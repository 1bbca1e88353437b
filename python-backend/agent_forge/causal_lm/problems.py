"""Problems as tokens: what an answer is, or which of several, or how likely a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..cognate.datasets.problem import Problem
from ..cognate.errors import InvalidSetting
from .text import Text


@dataclass(frozen=True, slots=True)
class Completion:
    """Answered where greedy decoding says the answer and no more."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    text: str
    """The answer, white space around it left out."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Answered where the right one is the likeliest by character (`acc_norm` of lm-eval)."""

    prompt: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]
    characters: tuple[int, ...]
    right: int


@dataclass(frozen=True, slots=True)
class Passage:
    """Read, not answered: its accuracy is 0 whatever reads it."""

    tokens: tuple[int, ...]


Encoded = Completion | Choice | Passage


def encode(problem: Problem, text: Text, limit: int, dataset: str) -> Encoded:
    """limit: tokens that the model can read; of a longer prompt the end is kept, of a passage the beginning.

    Raises InvalidSetting where an answer is longer, or no token is left of it.
    """
    if problem.choices:
        parts = [text.parted(problem.prompt, choice) for choice in problem.choices]
        answers = tuple(tuple(answer) for _, answer in parts)
        _fits(answers, limit, dataset)
        prompt = _end(parts[0][0], limit - max(map(len, answers)))
        lengths = tuple(max(1, len(choice)) for choice in problem.choices)
        return Choice(prompt, answers, lengths, problem.choices.index(problem.answer))
    if not problem.prompt:
        tokens = tuple(text.prompt(problem.answer)[:limit])
        if len(tokens) < 2:
            raise InvalidSetting("datasets", dataset, "holds a passage of fewer than two tokens", "longer text")
        return Passage(tokens)
    before, answer = text.parted(problem.prompt, problem.answer)
    _fits([answer], limit, dataset)
    return Completion(_end(before, limit - len(answer)), tuple(answer), problem.answer.strip())


def _fits(answers: Sequence[Sequence[int]], limit: int, dataset: str) -> None:
    for answer in answers:
        if not answer:
            raise InvalidSetting("datasets", dataset, "holds an answer without a token", "answers with text")
        if len(answer) >= limit:
            message = f"holds an answer of {len(answer)} tokens"
            raise InvalidSetting("datasets", dataset, message, f"fewer than {limit}, which is what the model reads")


def _end(prompt: Sequence[int], room: int) -> tuple[int, ...]:
    return tuple(prompt[-room:])
