"""What the champion is compared with: parents, the usual single merges of them, their foundation, the best of
generation 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...contract.evomerge import Candidate, Fitness
from ...contract.fault import Fault
from ...contract.recipe import Recipe
from ...contract.report import Baseline
from ..errors import ParentNotMeasurable
from ..recipe.tree import node
from .fitness import NOT_MEASURED, Reference, Scores
from .single_merges import SCALES
from .verdict import PARENT
from .workbench import Tensors, Workbench, entries_of, size_of

Poll = Callable[[], None]


@dataclass(frozen=True)
class Measured:
    """A recipe on the selection problems."""

    name: str
    model_id: str | None
    recipe: Recipe
    scale: float | None
    outline: Tensors
    scored: Fitness | Fault

    @property
    def total(self) -> float:
        return NOT_MEASURED.total if isinstance(self.scored, Fault) else self.scored.total

    @property
    def baseline(self) -> Baseline:
        return Baseline(
            name=self.name,
            model_id=self.model_id,
            recipe=self.recipe,
            scale=self.scale,
            parameters=entries_of(self.outline),
            bytes=size_of(self.outline),
            selection=NOT_MEASURED if isinstance(self.scored, Fault) else self.scored,
            fault=self.scored if isinstance(self.scored, Fault) else None,
            heldout=None,
        )


def parents_measured(bench: Workbench, poll: Poll) -> tuple[list[Baseline], Reference]:
    """In order, on the selection split, and what fitness is measured against. poll: called before each evaluation.

    Raises `ParentNotMeasurable`.
    """
    found: list[Scores] = []
    for parent, tensors in zip(bench.parents, bench.parent_tensors(), strict=True):
        poll()
        scores = bench.evaluate(tensors, "selection")
        if isinstance(scores, Fault):
            raise ParentNotMeasurable(f"parent {parent.id} ({parent.name}) can't be measured: {scores.message}")
        found.append(scores)
    reference = bench.reference(found)
    return [
        Measured(
            f"{PARENT}{parent.name}", parent.id, leaf, None, tensors, bench.fitness(scores, tensors, reference)
        ).baseline
        for parent, leaf, tensors, scores in zip(
            bench.parents, bench.registered, bench.parent_tensors(), found, strict=True
        )
    ], reference


def merges_measured(bench: Workbench, reference: Reference, poll: Poll) -> tuple[list[Baseline], dict[str, Fitness]]:
    """Single merges, each at its best λ, and the foundation where there is one, on the selection split; any may be
    without scores. Then the fitness of the plain sums of task vectors, by basis, where they could be measured."""

    def measured(name: str, recipe: Recipe, scale: float | None = None, model_id: str | None = None) -> Measured:
        poll()
        return Measured(name, model_id, recipe, scale, bench.outline(recipe), _scored(bench, recipe, reference))

    tried = {
        name: [measured(name, node(name, bench.raw.parents, bench.raw.origin, scale=scale), scale) for scale in scales]
        for name, scales in SCALES.items()
    }
    poll()
    fault = bench.decouple(poll)
    swudi = bench.sum_of(bench.decoupled)
    found = [
        measured("uniform_average", bench.average()),
        *(max(each, key=lambda one: one.total) for each in tried.values()),
        # the bytes of the op `swudi`, which would find the decoupled parents again
        Measured(
            "swudi",
            None,
            node("swudi", bench.raw.parents, bench.raw.origin),
            None,
            bench.outline(bench.average()),
            fault or _scored(bench, swudi, reference),
        ),
    ]
    if bench.foundation is not None:
        found.append(measured("foundation", bench.foundation, model_id=bench.foundation.model_id))
    plain = next(one for one in tried["task_arithmetic"] if one.scale == 1.0)
    sums = {"raw": plain.scored, "decoupled": next(one for one in found if one.name == "swudi").scored}
    return [one.baseline for one in found], {
        basis: scored for basis, scored in sums.items() if isinstance(scored, Fitness)
    }


def generation_0(candidates: Sequence[Candidate]) -> Baseline:
    """candidates: of generation 0, best first, those that could not be measured last."""
    best = candidates[0]
    return Baseline(
        name="best_generation_0",
        model_id=None,
        recipe=best.recipe,
        parameters=best.parameters,
        bytes=best.bytes,
        selection=best.fitness,
        fault=best.fault,
        heldout=None,
    )


def on_heldout(
    bench: Workbench, baselines: Sequence[Baseline], bred: Sequence[Recipe], poll: Poll
) -> tuple[list[Baseline], list[Fitness | Fault]]:
    """Every baseline but the best of generation 0, and what was bred, on the held-out split, against the parents'
    means there. However an evaluation ends, it costs no more than that model's scores.

    poll: called before each evaluation.
    """
    rivals = [one for one in baselines if one.recipe is not None and one.name != "best_generation_0"]
    recipes = [*(one.recipe for one in rivals if one.recipe is not None), *bred]
    found = [_attempted(bench, recipe, poll) for recipe in recipes]
    reference = _reference(bench, [scores for one, scores in zip(rivals, found, strict=False) if _is_parent(one)])
    scored = [
        _fitness(bench, bench.outline(recipe), scores, reference) for recipe, scores in zip(recipes, found, strict=True)
    ]
    by_name = {one.name: own for one, own in zip(rivals, scored, strict=False)}
    return [_with_heldout(one, by_name.get(one.name)) for one in baselines], scored[len(rivals) :]


def _is_parent(baseline: Baseline) -> bool:
    return baseline.name.startswith(PARENT)


def _scored(bench: Workbench, recipe: Recipe, reference: Reference) -> Fitness | Fault:
    tensors = bench.attempt(recipe)
    scores = tensors if isinstance(tensors, Fault) else bench.evaluate(tensors, "selection")
    return _fitness(bench, bench.outline(recipe), scores, reference)


def _attempted(bench: Workbench, recipe: Recipe, poll: Poll) -> Scores | Fault:
    """On the held-out split. One model at a time is in memory."""
    poll()
    tensors = bench.attempt(recipe)
    try:
        return tensors if isinstance(tensors, Fault) else bench.evaluate(tensors, "heldout")
    except Exception as error:
        # the search is over, and what it found must not be lost: the report says what happened
        return Fault(kind="measurement_failed", message=f"the evaluation failed: {type(error).__name__}: {error}")


def _reference(bench: Workbench, parents: Sequence[Scores | Fault]) -> Reference | Fault:
    measured = [scores for scores in parents if not isinstance(scores, Fault)]
    if measured:
        return bench.reference(measured)
    first = next(scores for scores in parents if isinstance(scores, Fault))
    return Fault(kind=first.kind, message=f"no parent can be measured to compare with: {first.message}")


def _fitness(
    bench: Workbench, outline: Tensors, scores: Scores | Fault, reference: Reference | Fault
) -> Fitness | Fault:
    if isinstance(scores, Fault):
        return scores
    if isinstance(reference, Fault):
        return reference
    return bench.fitness(scores, outline, reference)


def _with_heldout(baseline: Baseline, scored: Fitness | Fault | None) -> Baseline:
    if isinstance(scored, Fault):
        return baseline.model_copy(update={"heldout_fault": scored})
    return baseline.model_copy(update={"heldout": scored})
