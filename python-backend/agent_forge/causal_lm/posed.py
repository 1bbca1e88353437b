"""The problems of a run, as tokens, in the batches in which they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..cognate.datasets.problem import Dataset, Problem, Split
from ..cognate.datasets.registry import load_datasets
from ..cognate.draws import Draws
from ..contract.cognate import DatasetChoice
from .chat import Chat
from .defaults import WINDOW_CHARACTERS
from .harness.files import PREFIX
from .harness.task import Exam, Task
from .problems import Choice, Completion, Encoded, Passage, encode
from .text import Text

_WINDOW = 32
"""Built-in problems of `recall` are longer than so many characters: the shortest that they come in."""


@dataclass(frozen=True)
class Batch:
    """Problems of one kind, in places of their own among all that were asked for."""

    places: tuple[int, ...]
    problems: tuple[Encoded | Exam, ...]


class Posed:
    """Datasets with the tokenizer and the chat template that they are read by.

    Raises InvalidSetting where a dataset cannot be loaded.
    """

    def __init__(
        self,
        datasets: Sequence[str],
        difficulty: int,
        text: Text,
        chat: Chat | None,
        limit: int,
        roots: Sequence[Path],
    ) -> None:
        """limit: tokens that the model can read."""
        self.names = tuple(datasets)
        self._text, self._chat, self._limit = text, chat, limit
        own = [DatasetChoice(name=name) for name in datasets if not name.startswith(PREFIX)]
        loaded = iter(load_datasets(own, difficulty, _WINDOW, roots, WINDOW_CHARACTERS))
        self._datasets: list[Dataset | Task] = [
            Task(name, roots, f"datasets.{index}.name") if name.startswith(PREFIX) else next(loaded)
            for index, name in enumerate(datasets)
        ]

    def problems(self, split: Split, start: int, stop: int) -> list[list[Encoded | Exam]]:
        """Problems start to stop of each dataset; smaller ones give what they have."""
        return [
            list(one.exams(split, start, stop, self._asked))
            if isinstance(one, Task)
            else list(self._encoded(one, one.problems(split, stop)[start:]))
            for one in self._datasets
        ]

    def training(self, stop: int) -> list[list[Encoded]]:
        """The first training problems of each dataset, as prompts with answers."""
        return [
            self._encoded(
                one, one.problems(Split.train, 0, stop) if isinstance(one, Task) else one.problems(Split.train, stop)
            )
            for one in self._datasets
        ]

    def drawn(self, seed: int, step: int, problems: int) -> list[list[Encoded]]:
        """So many training problems of each dataset, by (seed, step)."""
        found = []
        for dataset in self._datasets:
            draws = Draws("polish", seed, step, dataset.name)
            if isinstance(dataset, Task):
                places = [draws.below(dataset.count(Split.train)) for _ in range(problems)]
                drawn = [dataset.problems(Split.train, place, place + 1)[0] for place in places]
            else:
                drawn = [dataset.draw(draws, Split.train) for _ in range(problems)]
            found.append(self._encoded(dataset, drawn))
        return found

    @property
    def _asked(self) -> Callable[[list[str]], list[str]] | None:
        chat = self._chat
        if chat is None:
            return None
        return lambda prompts: chat.rendered([[{"role": "user", "content": one}] for one in prompts]) if prompts else []

    def _encoded(self, dataset: Dataset | Task, problems: Sequence[Problem]) -> list[Encoded]:
        if self._chat is not None:
            problems = self._chat.asked(problems)
        return [encode(one, self._text, self._limit, dataset.name) for one in problems]


def batches(encoded: Sequence[Sequence[Encoded | Exam]], size: int) -> list[Batch]:
    """Problems of one dataset and kind together, in order of their length, so that little is padding; passages alone.

    A function of the problems: whoever poses the same ones reads the same batches.
    """
    found: list[Batch] = []
    before = 0
    for part in encoded:
        for kind, most in ((Completion, size), (Choice, size), (Passage, 1), (Exam, size)):
            own = [place for place, one in enumerate(part) if isinstance(one, kind)]
            own.sort(key=lambda place, part=part: (_length(part[place]), place))  # type: ignore[misc]
            for first in range(0, len(own), most):
                here = own[first : first + most]
                found.append(Batch(tuple(before + place for place in here), tuple(part[place] for place in here)))
        before += len(part)
    return found


def _length(problem: Encoded | Exam) -> int:
    if isinstance(problem, Exam):
        return problem.length
    return len(problem.tokens) if isinstance(problem, Passage) else len(problem.prompt)
