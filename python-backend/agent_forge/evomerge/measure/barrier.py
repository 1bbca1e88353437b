"""The merge barrier: how far the loss rises on the straight line between two parents' weights.

Frankle et al. 2020, Linear mode connectivity and the lottery ticket hypothesis, arXiv:1912.05671; Ainsworth et al.
2023, Git Re-Basin, arXiv:2209.04836, definition 2.2. Free of torch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from ...contract.fault import Fault
from ...contract.job import Job
from ...contract.recipe import Leaf, MergeNode, Recipe
from ...contract.report import Baseline, LinearPath, MergeBarrier, PathPoint
from ..recipe.tree import node

if TYPE_CHECKING:
    from .workbench import Workbench

MOST_IN_FULL = 3
"""Up to this many parents every two are compared; of more, each with the first: the cost stays linear."""


@dataclass(frozen=True)
class Means:
    """Means over the datasets, each counting the same."""

    loss: float
    accuracy: float


Score = Callable[[MergeNode], Means | Fault]
"""Means of a recipe's model on the selection problems."""


@dataclass(frozen=True)
class Parent:
    """One end of a path."""

    registered: Leaf
    aligned: Recipe
    """The same where it stays as it is."""
    means: Means
    """On the selection problems: an aligned parent computes what the registered one does."""


def survey(bench: Workbench, baselines: Sequence[Baseline], done: int, points: int, job: Job) -> Iterator[MergeBarrier]:
    """Measure pair after pair, leaving out those that are done; none where no points are asked for.

    baselines: the parents' first, in order.
    """
    parents = [
        Parent(registered, made, _means(list(baseline.selection.tasks.values())))
        for registered, made, baseline in zip(bench.registered, bench.raw.parents, baselines, strict=False)
    ]

    def score(recipe: MergeNode) -> Means | Fault:
        job.poll()
        start = time.perf_counter()
        made = bench.attempt(recipe)
        job.timing("barrier", time.perf_counter() - start)
        scores = made if isinstance(made, Fault) else bench.evaluate(made, "selection", part="barrier")
        if isinstance(scores, Fault):
            return scores
        return _means([{"loss": task.loss, "accuracy": task.accuracy} for task in scores.tasks])

    for first, second in pairs(len(parents))[done:] if points else []:
        found = measure(parents[first], parents[second], points, score)
        after = "" if found.after is None else f", {_height(found.after)} with their units aligned"
        names = " and ".join(bench.parents[index].name for index in (first, second))
        job.log(f"merge barrier between {names}: {_height(found.before)}{after}")
        yield found


def pairs(parents: int) -> list[tuple[int, int]]:
    """Which parents are compared, by position."""
    return [pair for pair in combinations(range(parents), 2) if parents <= MOST_IN_FULL or pair[0] == 0]


def measure(first: Parent, second: Parent, points: int, score: Score) -> MergeBarrier:
    """Both paths between two parents, by `points` even steps: as registered and, where one is aligned, as aligned."""
    inner = [step / (points + 1) for step in range(1, points + 1)]

    def walk(start: Recipe, end: Recipe) -> LinearPath:
        between = [(t, score(node("linear", [start, end], weights=[1 - t, t]))) for t in inner]
        return path([(0.0, first.means), *between, (1.0, second.means)])

    moved = (first.aligned, second.aligned) != (first.registered, second.registered)
    return MergeBarrier(
        first=first.registered.model_id,
        second=second.registered.model_id,
        before=walk(first.registered, second.registered),
        after=walk(first.aligned, second.aligned) if moved else None,
    )


def path(found: Sequence[tuple[float, Means | Fault]]) -> LinearPath:
    """found: by rising t, from 0 to 1; both ends are measured."""
    faults = [one for _, one in found if isinstance(one, Fault)]
    losses = [(t, one.loss) for t, one in found if isinstance(one, Means)]
    start, end = losses[0][1], losses[-1][1]
    return LinearPath(
        points=[
            PathPoint(t=t, loss=one.loss, accuracy=one.accuracy)
            if isinstance(one, Means)
            else PathPoint(t=t, loss=None, accuracy=None)
            for t, one in found
        ],
        barrier=None if faults else max(0.0, *(loss - (1 - t) * start - t * end for t, loss in losses)),
        fault=faults[0] if faults else None,
    )


def _height(found: LinearPath) -> str:
    return f"not measurable, {found.fault.message}" if found.fault else f"{found.barrier:.3f} nats"


def _means(tasks: Sequence[Mapping[str, float]]) -> Means:
    return Means(
        loss=math.fsum(task["loss"] for task in tasks) / len(tasks),
        accuracy=math.fsum(task["accuracy"] for task in tasks) / len(tasks),
    )
