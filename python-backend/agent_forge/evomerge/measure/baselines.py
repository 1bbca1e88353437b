"""What the champion is compared with: parents, their average, their foundation, the best of generation 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...contract.evomerge import Candidate, Fitness
from ...contract.fault import Fault
from ...contract.report import Baseline
from ..errors import ParentNotMeasurable
from .fitness import NOT_MEASURED, Reference, Scores, Split
from .workbench import Tensors, Workbench, entries_of, size_of

Poll = Callable[[], None]


@dataclass(frozen=True)
class Rival:
    """A model that there is before any candidate."""

    name: str
    model_id: str | None
    outline: Tensors
    tensors: Tensors | Fault


def first_baselines(bench: Workbench, poll: Poll) -> tuple[list[Baseline], Reference]:
    """Parents in order, then their uniform average, then the foundation where they share one, on the selection split;
    and what fitness is measured against. The average and the foundation may be without scores.

    poll: called before each evaluation. Raises `ParentNotMeasurable`.
    """
    rivals = _rivals(bench)
    found = [_measured(bench, rival.tensors, "selection", poll) for rival in rivals]
    parents: list[Scores] = []
    for parent, scores in zip(bench.parents, found, strict=False):
        if isinstance(scores, Fault):
            raise ParentNotMeasurable(f"parent {parent.id} ({parent.name}) can't be measured: {scores.message}")
        parents.append(scores)
    reference = bench.reference(parents)
    return [
        _baseline(rival, _scored(bench, rival.tensors, scores, reference))
        for rival, scores in zip(rivals, found, strict=True)
    ], reference


def generation_0(candidates: Sequence[Candidate]) -> Baseline:
    """candidates: of generation 0, best first, those that could not be measured last."""
    best = candidates[0]
    return Baseline(
        name="best_generation_0",
        model_id=None,
        parameters=best.parameters,
        bytes=best.bytes,
        selection=best.fitness,
        fault=best.fault,
        heldout=None,
    )


def on_heldout(
    bench: Workbench, baselines: Sequence[Baseline], champion: Tensors, poll: Poll
) -> tuple[list[Baseline], Fitness | Fault]:
    """What `first_baselines` gave and the champion on the held-out split, against the parents' means there.

    Whatever an evaluation ends with, it costs no more than that model's scores.
    baselines: as `first_baselines` gave them, then others, which stay as they are. poll: before each evaluation.
    """
    models = [*(rival.tensors for rival in _rivals(bench)), champion]
    found = [_attempted(bench, tensors, poll) for tensors in models]
    reference = _reference(bench, found[: len(bench.parents)])
    *measured, own = [_scored(bench, *pair, reference) for pair in zip(models, found, strict=True)]
    return [
        *(_with_heldout(baseline, scored) for baseline, scored in zip(baselines, measured, strict=False)),
        *baselines[len(measured) :],
    ], own


def _rivals(bench: Workbench) -> list[Rival]:
    average, foundation = bench.average(), bench.frame.foundation
    return [
        *(
            Rival(f"parent:{parent.name}", parent.id, tensors, tensors)
            for parent, tensors in zip(bench.parents, bench.parent_tensors(), strict=True)
        ),
        Rival("uniform_average", None, bench.outline(average), bench.attempt(average)),
        *([Rival("foundation", foundation.model_id, bench.base, bench.base)] if foundation is not None else []),
    ]


def _measured(bench: Workbench, tensors: Tensors | Fault, split: Split, poll: Poll) -> Scores | Fault:
    poll()
    return tensors if isinstance(tensors, Fault) else bench.evaluate(tensors, split)


def _attempted(bench: Workbench, tensors: Tensors | Fault, poll: Poll) -> Scores | Fault:
    """On the held-out split."""
    poll()
    try:
        return tensors if isinstance(tensors, Fault) else bench.evaluate(tensors, "heldout")
    except Exception as error:
        # the search is over, and what it found shall not be lost: the report says what happened
        return Fault(kind="measurement_failed", message=f"the evaluation failed: {type(error).__name__}: {error}")


def _reference(bench: Workbench, parents: Sequence[Scores | Fault]) -> Reference | Fault:
    measured = [scores for scores in parents if not isinstance(scores, Fault)]
    if measured:
        return bench.reference(measured)
    first = next(scores for scores in parents if isinstance(scores, Fault))
    return Fault(kind=first.kind, message=f"no parent can be measured to compare with: {first.message}")


def _scored(
    bench: Workbench, tensors: Tensors | Fault, scores: Scores | Fault, reference: Reference | Fault
) -> Fitness | Fault:
    if isinstance(tensors, Fault):
        return tensors
    if isinstance(scores, Fault):
        return scores
    if isinstance(reference, Fault):
        return reference
    return bench.fitness(scores, tensors, reference)


def _baseline(rival: Rival, scored: Fitness | Fault) -> Baseline:
    return Baseline(
        name=rival.name,
        model_id=rival.model_id,
        parameters=entries_of(rival.outline),
        bytes=size_of(rival.outline),
        selection=NOT_MEASURED if isinstance(scored, Fault) else scored,
        fault=scored if isinstance(scored, Fault) else None,
        heldout=None,
    )


def _with_heldout(baseline: Baseline, scored: Fitness | Fault) -> Baseline:
    if isinstance(scored, Fault):
        return baseline.model_copy(update={"heldout_fault": scored})
    return baseline.model_copy(update={"heldout": scored})
