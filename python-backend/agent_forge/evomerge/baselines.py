"""What the champion is compared with: parents, their average, their foundation, the best of generation 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from ..contract.evomerge import Baseline, Candidate, Fitness
from .fitness import Reference, Scores, Split
from .workbench import Tensors, Workbench, entries_of, size_of


def first_baselines(bench: Workbench, poll: Callable[[], None]) -> tuple[list[Baseline], Reference]:
    """Parents in order, then their uniform average, then the foundation where they share one, on the selection split;
    and what fitness is measured against.

    poll: called before each evaluation.
    """
    models = _models(bench)
    scores = [_polled(bench, tensors, "selection", poll) for tensors in models]
    reference = bench.reference(scores[: len(bench.parents)])
    names: list[tuple[str, str | None]] = [(f"parent:{parent.name}", parent.id) for parent in bench.parents]
    names.append(("uniform_average", None))
    if bench.frame.foundation is not None:
        names.append(("foundation", bench.frame.foundation.model_id))
    return [
        _baseline(name, model_id, tensors, bench.fitness(score, tensors, reference))
        for (name, model_id), tensors, score in zip(names, models, scores, strict=True)
    ], reference


def generation_0(best: Candidate) -> Baseline:
    return Baseline(
        name="best_generation_0",
        model_id=None,
        parameters=best.parameters,
        bytes=best.bytes,
        selection=best.fitness,
        heldout=None,
    )


def on_heldout(
    bench: Workbench, baselines: Sequence[Baseline], champion: dict[str, Tensor], poll: Callable[[], None]
) -> tuple[list[Baseline], Fitness]:
    """What `first_baselines` gave and the champion on the held-out split, against the parents' means there.

    baselines: as `first_baselines` gave them, then others, which stay as they are. poll: before each evaluation.
    """
    models = [*_models(bench), champion]
    scores = [_polled(bench, tensors, "heldout", poll) for tensors in models]
    reference = bench.reference(scores[: len(bench.parents)])
    *measured, own = [bench.fitness(score, tensors, reference) for score, tensors in zip(scores, models, strict=True)]
    return [
        *(
            baseline.model_copy(update={"heldout": fitness})
            for baseline, fitness in zip(baselines, measured, strict=False)
        ),
        *baselines[len(measured) :],
    ], own


def _models(bench: Workbench) -> list[Tensors]:
    """Those that there are before any candidate."""
    foundation = [bench.base] if bench.frame.foundation is not None else []
    return [*bench.parent_tensors(), bench.make(bench.average()), *foundation]


def _polled(bench: Workbench, tensors: Tensors, split: Split, poll: Callable[[], None]) -> Scores:
    poll()
    return bench.evaluate(tensors, split)


def _baseline(name: str, model_id: str | None, tensors: Tensors, selection: Fitness) -> Baseline:
    return Baseline(
        name=name,
        model_id=model_id,
        parameters=entries_of(tensors),
        bytes=size_of(tensors),
        selection=selection,
        heldout=None,
    )
