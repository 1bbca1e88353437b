"""Whether breeding was worth it: the champion beside its parents, on the held-out problems alone. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

from ...contract.evomerge import Candidate, Fitness
from ...contract.fault import Fault
from ...contract.report import Baseline, ComparedScores, StoppedBy, Verdict, VerdictLevel
from .single_merges import SINGLE_MERGES

PARENT = "parent:"


def verdict(
    champion: Candidate | None,
    model_id: str | None,
    heldout: Fitness | None,
    fault: Fault | None,
    baselines: Sequence[Baseline],
    stopped_by: StoppedBy | None,
    unpolished: Fitness | None = None,
) -> Verdict:
    """model_id: what the champion is registered as. fault: why the champion has no held-out scores. unpolished: those
    of the best candidate without polished weights, where it is another."""
    measured = [one for one in baselines if one.heldout is not None]
    parents = [
        _scores(one.name.removeprefix(PARENT), one.model_id, one.heldout)
        for one in measured
        if one.name.startswith(PARENT)
    ]
    merges = [_scores(one.name, None, one.heldout) for one in measured if one.name in SINGLE_MERGES]
    best = max(parents, key=_fitness, default=None)
    surest = max(parents, key=_accuracy, default=None)
    merge = max(merges, key=_fitness, default=None)
    own = _scores("champion", model_id, heldout) if champion is not None else None
    if own is None or heldout is None or best is None or surest is None:
        level: VerdictLevel = "unmeasured"
        sentence = _missing(champion, heldout, fault, stopped_by)
    else:
        level = _level(own, merge, best, surest)
        sentence = _sentence(level, own, merge, best, surest)
    return Verdict(
        level=level,
        sentence=sentence,
        champion=own,
        best_merge=merge,
        unpolished=_scores("unpolished", None, unpolished) if unpolished is not None else None,
        best_parent=best,
        most_accurate_parent=surest,
    )


def _scores(name: str, model_id: str | None, heldout: Fitness | None) -> ComparedScores:
    return ComparedScores(
        name=name,
        model_id=model_id,
        fitness=heldout.total if heldout else None,
        accuracy=heldout.accuracy if heldout else None,
        mean_depth=heldout.mean_depth if heldout else None,
        compute=heldout.compute if heldout else None,
    )


def _level(
    own: ComparedScores, merge: ComparedScores | None, best: ComparedScores, surest: ComparedScores
) -> VerdictLevel:
    if _fitness(own) <= _fitness(best):
        return "not_better"
    if merge is not None and _fitness(own) <= _fitness(merge):
        return "not_better_than_merge"
    if _accuracy(own) >= _accuracy(surest):
        return "better"
    return "faster_but_solves_fewer" if (own.compute or 0) > (surest.compute or 0) else "solves_fewer"


def _sentence(
    level: VerdictLevel,
    own: ComparedScores,
    merge: ComparedScores | None,
    best: ComparedScores,
    surest: ComparedScores,
) -> str:
    solves = f"the champion solves {_percent(own)} of the held-out problems"
    single = "" if merge is None else f", the best single merge, {merge.name}, {_percent(merge)},"
    fitness = f"fitness {own.fitness:.3f} against"
    if merge is not None:
        fitness += f" {merge.fitness:.3f} and"
    fitness += f" {best.fitness:.3f}"
    if surest == best:
        parent = f"its best parent, {best.name}, {_percent(best)}"
    else:
        parent = f"its most accurate parent, {surest.name}, {_percent(surest)}"
        fitness += f" of its best parent, {best.name}"
    depths = f"mean depth {_depths(own, surest)}"
    rivals = "every parent" if merge is None else "the best single merge and every parent"
    match level:
        case "better":
            return f"Better than {rivals}: {solves}{single} and {parent}; held-out {fitness}; {depths}."
        case "faster_but_solves_fewer":
            return f"Faster, but solves fewer: {solves}{single} and {parent}; held-out {fitness}; {depths}."
        case "solves_fewer":
            return f"Fitter, but solves fewer: {solves}{single} and {parent}; held-out {fitness}; {depths}."
        case "not_better_than_merge":
            return f"Not better than the best single merge: {solves}{single} and {parent}; held-out {fitness}."
        case _:
            return f"Not better than its best parent: held-out {fitness}; {solves}{single} and {parent}."


def _missing(
    champion: Candidate | None, heldout: Fitness | None, fault: Fault | None, stopped_by: StoppedBy | None
) -> str:
    if champion is None:
        return (
            "There is no champion: no candidate could be measured."
            if stopped_by in ("generations", "patience")
            else "There is no verdict: no candidate was measured."
        )
    if fault is not None:
        return f"There is no verdict: the champion could not be measured on the held-out problems, {fault.message}."
    if heldout is not None:
        return "There is no verdict: no parent could be measured on the held-out problems."
    if stopped_by == "cancelled":
        return "There is no verdict: the run was cancelled before the held-out problems were touched."
    return "There is no verdict yet: the held-out problems are touched once, at the end."


def _percent(scores: ComparedScores) -> str:
    return f"{100 * _accuracy(scores):.1f} %"


def _depths(own: ComparedScores, other: ComparedScores) -> str:
    return f"{own.mean_depth or 0:.2f} against {other.mean_depth or 0:.2f}"


def _fitness(scores: ComparedScores) -> float:
    return scores.fitness or 0.0


def _accuracy(scores: ComparedScores) -> float:
    return scores.accuracy or 0.0
