"""A task of the Language Model Evaluation Harness (Gao et al., doi:10.5281/zenodo.10256836), an optional package: its
documents by split, what each asks, and what its answers are worth."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ...cognate.datasets.problem import Problem, Split
from ...cognate.draws import seed_of
from ...cognate.errors import InvalidSetting
from .files import SHARES, check_task, metric_of

_SHARES = {0: Split.train, 1: Split.train, 2: Split.selection, 3: Split.selection, 4: Split.selection}
"""Eighths of the documents; the rest is held out."""


@dataclass(frozen=True)
class Exam:
    """What one document asks: requests of the harness, and how their answers are scored."""

    task: Task
    document: Any
    requests: tuple[Any, ...]
    gold: int | str
    """Place of the right choice, or the text that is right."""

    @property
    def length(self) -> int:
        return sum(len(part) for part in self.requests[0].args if isinstance(part, str))

    def score(self, answers: Sequence[Any]) -> float:
        """Of the metric that says whether a document is solved."""
        asked = [
            replace(one, resps=[answer], filtered_resps={}) for one, answer in zip(self.requests, answers, strict=True)
        ]
        return self.task.score(self.document, asked)


class Task:
    """Raises InvalidSetting where the task cannot be made."""

    def __init__(self, name: str, roots: Sequence[Path], field: str = "datasets") -> None:
        self.name = name
        config = check_task(name, roots, field)
        self._metric = metric_of(config)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the package and what it imports
                from lm_eval.api.task import ConfigurableTask

                self._task: Any = ConfigurableTask(config=deepcopy(config))
        except Exception as error:  # whatever the package or the task's data raise, the user must see
            raise InvalidSetting(field, name, f"cannot be made: {type(error).__name__}: {error}") from error
        self._split: dict[Split, list[Any]] = {split: [] for split in Split}
        for document in self._task.eval_docs:
            self._split[_split_of(document)].append(document)
        for split, found in self._split.items():
            if not found:
                message = f"has no document of the {split} split among {len(self._task.eval_docs)}"
                raise InvalidSetting(field, name, message, "more documents")

    def exams(
        self, split: Split, start: int, stop: int, asked: Callable[[list[str]], list[str]] | None = None
    ) -> list[Exam]:
        """Documents start to stop of a split. asked: prompts as a chat template puts them."""
        documents = self._split[split][start:stop]
        found = [self._exam(one, asked is not None) for one in documents]
        if asked is None:
            return found
        contexts = iter(asked([request.args[0] for exam in found for request in exam.requests]))
        return [
            replace(
                exam, requests=tuple(replace(one, arguments=(next(contexts), *one.args[1:])) for one in exam.requests)
            )
            for exam in found
        ]

    def problems(self, split: Split, start: int, stop: int) -> list[Problem]:
        """The same as prompts and their right answers, to be trained or calibrated on."""
        found = []
        for exam in self.exams(split, start, stop):
            if isinstance(exam.gold, int):
                context, answer = exam.requests[exam.gold].args[:2]
            else:
                context, answer = exam.requests[0].args[0], exam.gold
            found.append(Problem(context, answer))
        return found

    def count(self, split: Split) -> int:
        return len(self._split[split])

    def score(self, document: Any, requests: list[Any]) -> float:
        filters = self._task._filters[0]  # the first pipeline is the one that a table shows first
        filters.apply(requests)
        scores = self._task.process_results(document, [one.filtered_resps[filters.name] for one in requests])
        score = scores.get(self._metric)
        if not isinstance(score, int | float):
            message = f"scores no document by {self._metric} with a number"
            raise InvalidSetting("datasets", self.name, message, f"a metric of {', '.join(SHARES)}")
        return float(score)

    def _exam(self, document: Any, chat: bool) -> Exam:
        # By document, so that what stands in its prompt does not depend on which others were asked before it.
        self._task.set_fewshot_seed(seed_of("few-shot", self.name, _key(document)))
        shots = self._task.config.num_fewshot or 0
        context = self._task.fewshot_context(document, num_fewshot=shots, gen_prefix=self._task.doc_to_prefix(document))
        made = self._task.construct_requests(
            doc=document, ctx=context, metadata=(self.name, 0, 1), apply_chat_template=chat
        )
        requests = tuple(made) if isinstance(made, list) else (made,)
        return Exam(self, document, requests, self._gold(document))

    def _gold(self, document: Any) -> int | str:
        target = self._task.doc_to_target(document)
        if self._task.config.output_type == "multiple_choice":
            if self._task.multiple_input:
                target = self._task.doc_to_text(document)
            first = target[0] if isinstance(target, list) else target
            return self._task.doc_to_choice(document).index(first) if isinstance(first, str) else int(first)
        if isinstance(target, int) and self._task.config.doc_to_choice is not None:
            target = self._task.doc_to_choice(document)[target]
        text = str(target[0] if isinstance(target, list) else target)
        return text if self._task.config.output_type == "loglikelihood" else self._task.config.target_delimiter + text


def _split_of(document: Any) -> Split:
    return _SHARES.get(blake2b(_key(document).encode(), digest_size=4).digest()[0] & 7, Split.heldout)


def _key(document: Any) -> str:
    return json.dumps(document, sort_keys=True, default=str)
