"""Which problems a training step sees: a pure function of (seed, stage, step)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_forge.contract.cognate import Specialization

from .batch import Batch, Encoded, collate, encode
from .datasets.problem import Dataset, Split
from .draws import Draws
from .tokenizer import Tokenizer


def shares(
    datasets: Sequence[Dataset], weights: Sequence[float], family: Specialization | None, own_share: float
) -> list[float]:
    """Part of the problems that each dataset gives; sums to 1.

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


@dataclass(frozen=True)
class Mixture:
    datasets: Sequence[Dataset]
    shares: Sequence[float]
    tokenizer: Tokenizer
    batch_tokens: int
    max_length: int

    def batch(self, seed: int, stage: str, step: int) -> Batch:
        """Problems of the train split until the next one would exceed `batch_tokens`; at least one."""
        draws = Draws("data", seed, stage, step)
        problems: list[Encoded] = []
        tokens = 0
        while True:
            problem = self._draw(draws)
            tokens += len(problem.ids)
            if problems and tokens > self.batch_tokens:
                return collate(problems, self.tokenizer.pad)
            problems.append(problem)

    def _draw(self, draws: Draws) -> Encoded:
        point = draws.unit()
        chosen = len(self.datasets) - 1
        for index, share in enumerate(self.shares):
            if point < share:
                chosen = index
                break
            point -= share
        dataset = self.datasets[chosen]
        return encode(dataset.draw(draws, Split.train), self.tokenizer, dataset.by_character, self.max_length)
