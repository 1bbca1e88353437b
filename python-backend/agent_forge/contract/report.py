"""What a run reports at its end: what it made, how it compares, where its time went."""

from __future__ import annotations

from typing import Literal

from .base import Count, Digest, Resource, Unit
from .cognate import TaskScore
from .evomerge import Candidate, Fitness, Generation
from .fault import Fault
from .recipe import Recipe


class Baseline(Resource):
    """Something that the champion is compared with."""

    name: str
    """`parent:<model name>`, `uniform_average`, `task_arithmetic`, `ties`, `swudi`, `foundation` where there is one,
    `best_generation_0`."""
    model_id: str | None
    recipe: Recipe | None = None
    """What it is made from; null where that was not recorded."""
    scale: float | None = None
    """λ of a merge that was tried with several, on the selection problems: the best."""
    parameters: Count
    bytes: Count
    selection: Fitness
    fault: Fault | None = None
    """Why it has no selection scores."""
    heldout: Fitness | None
    """On the held-out split, touched once, at the end."""
    heldout_fault: Fault | None = None
    """Why it has no held-out scores, where these were to be measured."""


class Finalist(Resource):
    """One of the best candidates, on selection problems that the search had not seen."""

    candidate_id: str
    selection: float
    """Its fitness in the search: that of the best of many, and so too high."""
    fitness: Fitness
    """On the fresh problems."""
    fault: Fault | None = None
    """Why it has no scores there."""


class PathPoint(Resource):
    """A model on the straight line between two parents' weights, on the selection problems."""

    t: Unit
    """Weight of the second parent; the first has 1 − t."""
    loss: float | None
    """Mean cross-entropy over the datasets, nats; null where it could not be measured."""
    accuracy: float | None
    """Mean over the datasets, 0 to 1."""


class LinearPath(Resource):
    """The way from one parent to another, straight through the weights: both ends and what was measured between."""

    points: list[PathPoint]
    """By rising t, from 0 to 1."""
    barrier: float | None
    """Most that the loss rises above the straight line between the ends' losses, nats; 0 where it nowhere does; null
    where a point could not be measured."""
    fault: Fault | None = None
    """Why the first such point could not be measured."""


class MergeBarrier(Resource):
    """What parts two parents (Frankle 2020, linear mode connectivity; Ainsworth 2023, Git Re-Basin)."""

    first: str
    """Id of a parent."""
    second: str
    """Id of another."""
    before: LinearPath
    after: LinearPath | None
    """The same with both aligned; null where they were left as they are."""


class ParetoPoint(Resource):
    """A candidate that no other one beats in everything."""

    candidate_id: str
    fitness: float
    """Its total."""
    objectives: dict[str, float]
    """`accuracy/<dataset>`, more is better; `bytes`, less is better."""


class NodeTime(Resource):
    """Of one node of the cluster, over all children of a run, seconds."""

    name: str
    busy: float
    """Working on them."""
    waited: float
    """Between their being asked for and their beginning there."""


class Timings(Resource):
    """Where a run's wall time went, seconds."""

    total: float
    parts: dict[str, float]
    """What overlaps counts in each part."""
    nodes: list[NodeTime] = []
    """Empty where all was done on the backend's machine."""


class ComparedScores(Resource):
    """A model's held-out scores, those that belong side by side: fitness alone hides what was given up for it."""

    name: str
    """`champion`, or the parent's name."""
    model_id: str | None
    fitness: float | None
    accuracy: float | None
    """Share of the held-out problems solved, every dataset counting the same."""
    mean_depth: float | None
    """Blocks that a token passes."""
    compute: float | None
    """Parents' mean FLOPs per token over its own: above 1 it is faster than they are."""


VerdictLevel = Literal[
    "better", "faster_but_solves_fewer", "solves_fewer", "not_better_than_merge", "not_better", "unmeasured"
]
"""`better`: fitter than the best single merge and every parent, and no parent solves more; `faster_but_solves_fewer`:
fitter, since it computes less, while a parent solves more; `solves_fewer`: the same, the gain coming from elsewhere;
`not_better_than_merge`: fitter than every parent, but a single merge is as fit, or fitter; `not_better`: a parent is
as fit, or fitter; `unmeasured`: there are no held-out scores to compare."""


class Verdict(Resource):
    """Whether breeding was worth it, by the held-out problems alone."""

    level: VerdictLevel
    sentence: str
    champion: ComparedScores | None
    """Null where there is no champion."""
    best_merge: ComparedScores | None = None
    """The fittest single merge of the parents on the held-out problems; null where none was measured there."""
    unpolished: ComparedScores | None = None
    """The best candidate without polished weights, where it is not the champion; null where there is none."""
    best_parent: ComparedScores | None
    """The fittest on the held-out problems; null where none was measured there."""
    most_accurate_parent: ComparedScores | None
    """The one that solves most of them: often the same."""


Basis = Literal["raw", "decoupled"]

StoppedBy = Literal["generations", "patience", "cancelled"]


class EvoMergeReport(Resource):
    kind: Literal["evomerge"] = "evomerge"
    run_id: str
    champion: Candidate | None
    champion_model_id: str | None
    champion_heldout: Fitness | None
    champion_heldout_fault: Fault | None = None
    """Why the champion has no held-out scores, where these were to be measured."""
    verdict: Verdict
    baselines: list[Baseline]
    basis: Basis | None = None
    """The task vectors that recipes combined; null where that was not decided yet."""
    finalists: list[Finalist] = []
    """The fittest on the fresh problems first: the champion."""
    unpolished_id: str | None = None
    """The best candidate without polished weights, by the selection problems."""
    unpolished_heldout: Fitness | None = None
    aligned_to: str | None
    """Id of the model whose units the parents' were matched to before anything else; null: they are as registered."""
    barriers: list[MergeBarrier]
    """In the order of the parents; empty where none were asked for."""
    generations: list[Generation]
    pareto_front: list[ParetoPoint]
    """Over all candidates that were measured on all problems, the fittest first; of those with the same objectives the
    fittest."""
    stopped_by: StoppedBy | None
    candidates: Count
    timings: Timings


class MergeReport(Resource):
    """What one merge made."""

    kind: Literal["merge"] = "merge"
    run_id: str
    model_id: str | None
    """Null until it is registered."""
    digest: Digest | None
    recipe: Recipe
    mergekit: str | None
    """The recipe as a merge configuration; null where mergekit has no words for it."""
    not_expressible: str | None
    """Why not."""
    parameters: Count | None
    bytes: Count | None
    files: Count | None
    """Of weights."""
    resumed_tensors: Count
    """Those that an earlier attempt had finished."""
    timings: Timings


class CreationTiming(Resource):
    """Seconds to create, save and register all models of a run, beside the plain way where it was asked for."""

    seconds: float
    plain_seconds: float | None


class CognateReport(Resource):
    kind: Literal["cognate"] = "cognate"
    run_id: str
    model_ids: list[str]
    first: dict[str, list[TaskScore]]
    """Stage → task scores of its first evaluation."""
    last: dict[str, list[TaskScore]]
    creation: CreationTiming | None
    timings: Timings
