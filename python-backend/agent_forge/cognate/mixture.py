"""Which problems a training step sees: a pure function of (seed, stage, step)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..contract.cognate import Specialization
from .batch import Batch, Encoded, collate, encode
from .datasets.problem import Dataset, Split
from .draws import Draws
from .tokenizer import Tokenizer

_SAMPLE = 64


def shares(
    datasets: Sequence[Dataset], weights: Sequence[float], family: Specialization | None, own_share: float
) -> list[float]:
    """Part of the tokens that each dataset gives; sums to 1.

    Without a family by weight alone. With one, `own_share` goes to the datasets of that family and those that
    belong to all, the rest to the others; where one side has no dataset, everything goes to the other.
    """
    total = sum(weights)
    if family is None:
        return [weight / total for weight in weights]
    own = [dataset.family in (family, None) for dataset in datasets]
    own_weight = sum(w for w, mine in zip(weights, own, strict=True) if mine)
    if own_weight in (0.0, total):
        return [weight / total for weight in weights]
    return [
        own_share * w / own_weight if mine else (1 - own_share) * w / (total - own_weight)
        for w, mine in zip(weights, own, strict=True)
    ]


def mean_lengths(datasets: Sequence[Dataset], tokenizer: Tokenizer, max_length: int) -> list[float]:
    """Tokens of a problem of each dataset, from a fixed sample of the train split."""
    lengths = []
    for dataset in datasets:
        draws = Draws("length", dataset.name)
        problems = [dataset.draw(draws, Split.train) for _ in range(_SAMPLE)]
        ids = [len(encode(one, tokenizer, dataset.by_character, max_length).ids) for one in problems]
        lengths.append(sum(ids) / _SAMPLE)
    return lengths


def problem_shares(token_shares: Sequence[float], lengths: Sequence[float]) -> list[float]:
    """Part of the problems that gives each dataset its part of the tokens: long problems are drawn less often."""
    rates = [share / length for share, length in zip(token_shares, lengths, strict=True)]
    return [rate / sum(rates) for rate in rates]


def foreign(datasets: Sequence[Dataset], family: Specialization | None) -> list[bool]:
    """Which datasets are of other families; none where there would be no other left to learn from."""
    found = [family is not None and dataset.family not in (family, None) for dataset in datasets]
    return [False] * len(found) if all(found) else found


@dataclass(frozen=True)
class Lesson:
    """The problems of one training step."""

    batch: Batch
    """All of them. Labels that are learned come first, those that are rehearsed last: a split costs less than a mask.
    """
    learned: int
    """Labels that are learned."""
    rehearsal: Batch | None
    """The rehearsed problems alone, where there are any: their labels come in the order that they have in `batch`."""


@dataclass(frozen=True)
class Mixture:
    datasets: Sequence[Dataset]
    shares: Sequence[float]
    """Probability that a problem is of each dataset."""
    tokenizer: Tokenizer
    batch_tokens: int
    max_length: int
    rehearsed: Sequence[bool] = ()
    """By dataset: whether its problems are not learned, but answered as before; empty: none."""

    def lesson(self, seed: int, stage: str, step: int) -> Lesson:
        """Problems of the train split until the next one would exceed `batch_tokens`; at least one."""
        draws = Draws("data", seed, stage, step)
        problems: list[Encoded] = []
        rehearsed: list[bool] = []
        tokens = 0
        while True:
            chosen, problem = self._draw(draws)
            tokens += len(problem.ids)
            if problems and tokens > self.batch_tokens:
                break
            problems.append(problem)
            rehearsed.append(bool(self.rehearsed) and self.rehearsed[chosen])
        pad = self.tokenizer.pad
        batch = collate(problems, pad)
        old = [problem for problem, again in zip(problems, rehearsed, strict=True) if again]
        again = torch.tensor(rehearsed)[batch.problems]
        ordered = batch.relabelled(again.int().argsort(stable=True)) if old else batch
        return Lesson(ordered, int((~again).sum()), collate(old, pad) if old else None)

    def _draw(self, draws: Draws) -> tuple[int, Encoded]:
        """(index of the dataset, problem)"""
        point = draws.unit()
        chosen = len(self.datasets) - 1
        for index, share in enumerate(self.shares):
            if point < share:
                chosen = index
                break
            point -= share
        dataset = self.datasets[chosen]
        return chosen, encode(dataset.draw(draws, Split.train), self.tokenizer, dataset.by_character, self.max_length)
