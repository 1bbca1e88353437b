"""Candidates as a run records them, with scores that a test chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent_forge.contract.evomerge import Candidate, Fitness
from agent_forge.contract.fault import Fault
from agent_forge.contract.recipe import Leaf, Recipe
from agent_forge.contract.report import Baseline
from agent_forge.evomerge.measure.fitness import NOT_MEASURED
from agent_forge.evomerge.search.genome import Frame, polished
from agent_forge.evomerge.search.strategy import Plan

PARENTS = ("a", "b", "c")
LEAVES: list[Recipe] = [Leaf(model_id=name, digest=name * 64) for name in PARENTS]
FRAME = Frame(
    parents=LEAVES,
    origin=Leaf(model_id="f", digest="f" * 64),
    basis="raw",
    depth=4,
    calibration={"problems": 16},
    mutation_rate=0.01,
    mutation_sigma=0.01,
)


def measured(
    plan: Plan, total: float, slot: int, accuracy: Mapping[str, float] | None = None, size: int = 1, generation: int = 0
) -> Candidate:
    """accuracy: by dataset; size: bytes."""
    scores = accuracy if accuracy is not None else {"task": total}
    return Candidate(
        id=f"run.g{generation}.s{slot}",
        run_id="run",
        generation=generation,
        slot=slot,
        role=plan.role,
        op=plan.op,
        parents=plan.parents,
        recipe=plan.recipe if plan.polish is None else polished(plan.recipe, {}, FRAME),
        digest="0" * 64,
        parameters=1,
        bytes=size,
        fitness=scored(total, scores),
        merge_seconds=0,
        evaluate_seconds=0,
        cached=False,
    )


def all_measured(plans: Sequence[Plan], totals: Sequence[float], generation: int = 0) -> list[Candidate]:
    return [
        measured(plan, total, slot, generation=generation)
        for slot, (plan, total) in enumerate(zip(plans, totals, strict=True))
    ]


def scored(total: float, accuracy: Mapping[str, float]) -> Fitness:
    return Fitness(
        total=total,
        likelihood=0,
        accuracy=0,
        compute=1,
        memory=1,
        mean_depth=1,
        tasks={name: {"loss": 0, "perplexity": 1, "accuracy": value} for name, value in accuracy.items()},
    )


def faulted(candidate: Candidate) -> Candidate:
    fault = Fault(kind="output_not_finite", message="there is no number")
    return candidate.model_copy(update={"fitness": NOT_MEASURED, "fault": fault})


def parents(*totals: float) -> list[Baseline]:
    return [
        Baseline(
            name=f"parent:{name}",
            model_id=name,
            parameters=1,
            bytes=1,
            selection=scored(total, {"task": total}),
            heldout=None,
        )
        for name, total in zip(PARENTS, totals, strict=True)
    ]
