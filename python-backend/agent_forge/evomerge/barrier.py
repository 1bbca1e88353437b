"""The merge barrier: how far the loss rises on the straight line between two parents' weights.

Frankle et al. 2020, Linear mode connectivity and the lottery ticket hypothesis, arXiv:1912.05671; Ainsworth et al.
2023, Git Re-Basin, arXiv:2209.04836, definition 2.2. Free of torch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from ..contract.evomerge import Baseline, Fitness, LinearPath, MergeBarrier, PathPoint
from ..contract.job import Job
from ..contract.recipe import Leaf, MergeNode, Recipe
from .genome import node

if TYPE_CHECKING:
    from .workbench import Workbench

MOST_IN_FULL = 3
"""Parents of which every two are compared; of more, each with the first: the cost stays linear."""

Score = Callable[[MergeNode], tuple[float, float]]
"""Mean loss and accuracy of a recipe's model on the selection problems, every dataset counting the same."""


@dataclass(frozen=True)
class Parent:
    """One end of a path."""

    registered: Leaf
    aligned: Recipe
    """The same where it stays as it is."""
    loss: float
    accuracy: float
    """On the selection problems, both: an aligned parent computes what the registered one does."""


def survey(bench: Workbench, baselines: Sequence[Baseline], done: int, points: int, job: Job) -> Iterator[MergeBarrier]:
    """Measure pair after pair, those left out that are done; none where no points are asked for.

    baselines: the parents' first, in order.
    """
    parents = [
        Parent(registered, made, *_means(baseline.selection))
        for registered, made, baseline in zip(bench.registered, bench.frame.parents, baselines, strict=False)
    ]

    def score(recipe: MergeNode) -> tuple[float, float]:
        job.poll()
        tasks = bench.evaluator.evaluate(bench.make(recipe), "selection").tasks
        return math.fsum(task.loss for task in tasks) / len(tasks), math.fsum(task.accuracy for task in tasks) / len(
            tasks
        )

    for first, second in pairs(len(parents))[done:] if points else []:
        start = time.perf_counter()
        found = measure(parents[first], parents[second], points, score)
        job.timing("barrier", time.perf_counter() - start)
        after = "" if found.after is None else f", {found.after.barrier:.3f} with their units aligned"
        names = " and ".join(bench.parents[index].name for index in (first, second))
        job.log(f"merge barrier between {names}: {found.before.barrier:.3f} nats{after}")
        yield found


def pairs(parents: int) -> list[tuple[int, int]]:
    """Which parents are compared, by position."""
    return [pair for pair in combinations(range(parents), 2) if parents <= MOST_IN_FULL or pair[0] == 0]


def measure(first: Parent, second: Parent, points: int, score: Score) -> MergeBarrier:
    """Both paths between two parents, by `points` even steps: as registered and, where one is aligned, as that."""
    inner = [step / (points + 1) for step in range(1, points + 1)]

    def walk(start: Recipe, end: Recipe) -> LinearPath:
        between = [(t, *score(node("linear", [start, end], weights=[1 - t, t]))) for t in inner]
        whole = [(0.0, first.loss, first.accuracy), *between, (1.0, second.loss, second.accuracy)]
        return path([PathPoint(t=t, loss=loss, accuracy=accuracy) for t, loss, accuracy in whole])

    moved = (first.aligned, second.aligned) != (first.registered, second.registered)
    return MergeBarrier(
        first=first.registered.model_id,
        second=second.registered.model_id,
        before=walk(first.registered, second.registered),
        after=walk(first.aligned, second.aligned) if moved else None,
    )


def path(points: Sequence[PathPoint]) -> LinearPath:
    """points: by rising t, from 0 to 1."""
    start, end = points[0].loss, points[-1].loss
    return LinearPath(
        points=list(points),
        barrier=max(0.0, *(point.loss - (1 - point.t) * start - point.t * end for point in points)),
    )


def _means(scores: Fitness) -> tuple[float, float]:
    losses = [task["loss"] for task in scores.tasks.values()]
    return math.fsum(losses) / len(losses), scores.accuracy
