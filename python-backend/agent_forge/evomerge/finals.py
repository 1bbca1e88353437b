"""The end of a run: the champion is chosen on fresh problems, then measured beside its baselines on held-out ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..contract.evomerge import Candidate, EvoMergeConfig, Fitness, Role
from ..contract.fault import Fault
from ..contract.job import Job
from ..contract.report import Baseline, Finalist
from .champion import better, register
from .measure.baselines import on_heldout
from .measure.fitness import NOT_MEASURED, Reference
from .measure.workbench import Workbench


def finalists_of(
    recorded: Sequence[Candidate],
    config: EvoMergeConfig,
    bench: Workbench,
    reference: Reference,
    poll: Callable[[], None],
) -> list[Finalist]:
    """The fittest on fresh selection problems first; of equals the first.

    The best of many noisy scores is too high, most of all that of the winner: so the winner is chosen again, on
    problems that have not chosen anything yet. poll: called before each evaluation.
    """
    chosen = chosen_finalists(recorded, config.finalists)
    found = []
    for one in chosen:
        poll()
        scored = _fresh(one, config, bench, reference)
        found.append(
            Finalist(
                candidate_id=one.id,
                selection=one.fitness.total,
                fitness=NOT_MEASURED if isinstance(scored, Fault) else scored,
                fault=scored if isinstance(scored, Fault) else None,
            )
        )
    return sorted(found, key=lambda one: -one.fitness.total)


def chosen_finalists(recorded: Sequence[Candidate], most: int) -> list[Candidate]:
    """Distinct candidates that were measured on all problems: half of them the best by the search, then what was
    polished, then those that were the best of their time, the earlier ones first.

    The best are kin: late children of one lineage, fitted ever more closely to the same problems. Their ancestors
    may do better on others.
    """
    whole: dict[str | None, Candidate] = {}
    for one in recorded:
        if one.fault is None and not one.fitness.partial:
            whole.setdefault(one.digest, one)
    ranked = sorted(whole.values(), key=lambda one: -one.fitness.total)
    records: list[Candidate] = []
    for one in whole.values():
        if not records or one.fitness.total > records[-1].fitness.total:
            records.append(one)
    polished = [one for one in whole.values() if one.role is Role.polished]
    wanted = [*ranked[: (most + 1) // 2], *polished, *records, *ranked]
    return list({one.id: one for one in wanted}.values())[:most]


def _fresh(candidate: Candidate, config: EvoMergeConfig, bench: Workbench, reference: Reference) -> Fitness | Fault:
    seen = bench.evaluator.problems
    tensors = bench.make(candidate.recipe)
    answers = bench.answers(tensors, "selection", seen, seen + config.final_problems, part="finalists")
    if isinstance(answers, Fault):
        return answers
    if not len(answers):
        return Fault(kind="measurement_failed", message="the data sets have no unseen selection problems left")
    return bench.fitness(answers.scores(), tensors, reference)


def finish(
    champion: Candidate, recorded: Sequence[Candidate], baselines: Sequence[Baseline], bench: Workbench, job: Job
) -> dict[str, Any]:
    """Touch the held-out split once, and register the champion. Gives the report's parts."""
    unpolished: Candidate | None = None
    for one in recorded if champion.polished else []:
        if not one.polished:
            unpolished = better(unpolished, one)
    bred = [champion, *([unpolished] if unpolished is not None else [])]
    compared, scored = on_heldout(bench, baselines, [one.recipe for one in bred], job.poll)
    own, other = scored[0], scored[-1] if unpolished is not None else None
    fault = own if isinstance(own, Fault) else None
    heldout = None if isinstance(own, Fault) else own
    if fault is not None:
        job.log(f"the champion has no held-out scores: {fault.message}", "error")
    model = register(champion, bench, job, heldout, bench.make(champion.recipe))
    return {
        "baselines": [one.model_dump(mode="json") for one in compared],
        "champion_model_id": model.id,
        "champion_heldout": heldout.model_dump(mode="json") if heldout else None,
        "champion_heldout_fault": fault.model_dump(mode="json") if fault else None,
        "unpolished_id": unpolished.id if unpolished is not None else None,
        "unpolished_heldout": other.model_dump(mode="json") if isinstance(other, Fitness) else None,
    }
