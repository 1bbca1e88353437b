"""The best candidate so far, and the model that it becomes."""

from __future__ import annotations

import time

from torch import Tensor

from ..contract.architecture import Architecture, TinyTitan, fitted
from ..contract.evomerge import Candidate, Fitness
from ..contract.job import Job, ModelDraft
from ..contract.model import Model, ModelKind
from ..contract.recipe import MergeOrigin
from ..registry.tensors import digest_tensors, shapes_of
from .errors import LeafChanged
from .measure.fitness import Split
from .measure.workbench import Workbench


def better(known: Candidate | None, other: Candidate) -> Candidate | None:
    """Of equals the first; never one that could not be measured, or not on all problems."""
    if other.fault is not None or other.fitness.partial:
        return known
    return other if known is None or other.fitness.total > known.fitness.total else known


def register(
    champion: Candidate, bench: Workbench, job: Job, heldout: Fitness | None, tensors: dict[str, Tensor]
) -> Model:
    """tensors: made from its recipe; `LeafChanged` where they are not those that were measured."""
    start = time.perf_counter()
    if digest_tensors(tensors) != champion.digest:
        raise LeafChanged(f"{champion.id}, made again from its recipe, differs in digest from when it was measured")
    metrics = _metrics(champion.fitness, "selection") | (_metrics(heldout, "heldout") if heldout else {})
    model = job.register(
        ModelDraft(
            name=f"evomerge_champion_{champion.id}",
            directory=f"evomerge/{job.run_id}",
            kind=ModelKind.merged,
            specialization=None,
            architecture=_architecture(bench, tensors),
            documents=bench.parents[0].folder,
            tokenizer=bench.parents[0].tokenizer,
            origin=MergeOrigin(run_id=job.run_id, candidate_id=champion.id, recipe=champion.recipe),
            parents=[parent.id for parent in bench.parents],
            metrics=metrics,
        ),
        tensors,
    )
    job.timing("io", time.perf_counter() - start)
    return model


def _architecture(bench: Workbench, tensors: dict[str, Tensor]) -> Architecture | None:
    """The parents', at the depth of these tensors."""
    own = bench.evaluator.architecture
    return fitted(own, shapes_of(tensors)) if isinstance(own, TinyTitan) else own


def _metrics(measured: Fitness, split: Split) -> dict[str, float]:
    return {f"{split}/fitness": measured.total} | {
        f"{split}/{measure}/{dataset}": value
        for dataset, scores in measured.tasks.items()
        for measure, value in scores.items()
    }
