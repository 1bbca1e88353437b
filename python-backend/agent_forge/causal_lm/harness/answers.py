"""What a model answers to exams: of each the loss, what it is summed over, and whether it is solved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .task import Exam

if TYPE_CHECKING:
    from .model import NetworkLM


def answered(model: NetworkLM, exams: Sequence[Exam], tokens: Sequence[int]) -> list[tuple[float, int, bool]]:
    """exams: of one task. tokens: of each exam's right answer. Solved is what has the full score, 1.

    The loss of a choice is that of the right one among all, −log softmax of their log-likelihoods.
    """
    requests = [request for exam in exams for request in exam.requests]
    kind = requests[0].request_type
    said = iter(getattr(model, kind)(requests))
    found = []
    for exam, count in zip(exams, tokens, strict=True):
        own = [next(said) for _ in exam.requests]
        solved = exam.score(own) >= 1.0
        if isinstance(exam.gold, int):
            losses = -np.array([value for value, _ in own])
            found.append((float(losses[exam.gold] + np.logaddexp.reduce(-losses)), 1, solved))
        elif kind == "loglikelihood":
            found.append((-own[0][0], count, solved))
        else:
            found.append((_loss(model, exam), count, solved))
    return found


def _loss(model: NetworkLM, exam: Exam) -> float:
    """Of the right answer, where the model wrote one of its own."""
    asked = replace(exam.requests[0], arguments=(exam.requests[0].args[0], exam.gold))
    return -model.loglikelihood([asked])[0][0]
