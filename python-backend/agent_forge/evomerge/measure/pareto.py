"""The candidates that no other one beats in everything. Torch-free, without numpy: the API process asks too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import le
from typing import Protocol

from ...contract.evomerge import Fitness
from ...contract.fault import Fault
from ...contract.report import ParetoPoint

BYTES = "bytes"
ACCURACY = "accuracy/"


class Scored(Protocol):
    """A candidate, or what the front needs of one."""

    @property
    def id(self) -> str: ...
    @property
    def bytes(self) -> int: ...
    @property
    def fitness(self) -> Fitness: ...
    @property
    def fault(self) -> Fault | None: ...


def objectives(candidate: Scored) -> dict[str, float]:
    """Of a candidate that was measured."""
    return named_objectives(
        candidate.bytes, {dataset: scores["accuracy"] for dataset, scores in candidate.fitness.tasks.items()}
    )


def named_objectives(size: int, accuracies: Mapping[str, float]) -> dict[str, float]:
    """`bytes`, and `accuracy/<dataset>` for each."""
    return {BYTES: float(size)} | {f"{ACCURACY}{dataset}": accuracy for dataset, accuracy in accuracies.items()}


def costs(named: Mapping[str, float]) -> tuple[float, ...]:
    """Objectives in order, each so that less is better."""
    return tuple(value if name == BYTES else -value for name, value in named.items())


def pareto_front(candidates: Iterable[Scored]) -> list[ParetoPoint]:
    """The non-dominated ones of those that were measured on all problems, the fittest first. Of those with the same
    objectives only the fittest, or the first."""
    named: dict[tuple[float, ...], tuple[Scored, dict[str, float]]] = {}
    for candidate in candidates:
        if candidate.fault is not None or candidate.fitness.partial:
            continue
        own = objectives(candidate)
        key = costs(own)
        if key not in named or candidate.fitness.total > named[key][0].fitness.total:
            named[key] = candidate, own
    front: list[tuple[float, ...]] = []
    # whatever dominates a point comes before it in this order
    for key in sorted(named):
        if not any(_beats(other, key) for other in front):
            front.append(key)
    front.sort(key=lambda key: -named[key][0].fitness.total)
    return [
        ParetoPoint(candidate_id=candidate.id, fitness=candidate.fitness.total, objectives=own)
        for candidate, own in (named[key] for key in front)
    ]


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    # without a generator: of 20,000 candidates with six tasks, tens of millions are compared
    return all(map(le, one, other))
