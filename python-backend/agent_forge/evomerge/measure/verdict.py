"""Whether breeding was worth it: the champion beside its parents, on the held-out problems alone. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

from ...contract.evomerge import Candidate, Fitness
from ...contract.fault import Fault
from ...contract.report import Baseline, ComparedScores, StoppedBy, Verdict, VerdictLevel

PARENT = "parent:"


def verdict(
    champion: Candidate | None,
    model_id: str | None,
    heldout: Fitness | None,
    fault: Fault | None,
    baselines: Sequence[Baseline],
    stopped_by: StoppedBy | None,
) -> Verdict:
    """model_id: what the champion is registered as. fault: why the champion has no held-out scores."""
    parents = [
        _scores(baseline.name.removeprefix(PARENT), baseline.model_id, baseline.heldout)
        for baseline in baselines
        if baseline.name.startswith(PARENT) and baseline.heldout is not None
    ]
    best = max(parents, key=_fitness, default=None)
    surest = max(parents, key=_accuracy, default=None)
    own = _scores("champion", model_id, heldout) if champion is not None else None
    if own is None or heldout is None or best is None or surest is None:
        level: VerdictLevel = "unmeasured"
        sentence = _missing(champion, heldout, fault, stopped_by)
    else:
        level = _level(own, best, surest)
        sentence = _sentence(level, own, best, surest)
    return Verdict(level=level, sentence=sentence, champion=own, best_parent=best, most_accurate_parent=surest)


def _scores(name: str, model_id: str | None, heldout: Fitness | None) -> ComparedScores:
    return ComparedScores(
        name=name,
        model_id=model_id,
        fitness=heldout.total if heldout else None,
        accuracy=heldout.accuracy if heldout else None,
        mean_depth=heldout.mean_depth if heldout else None,
        compute=heldout.compute if heldout else None,
    )


def _level(own: ComparedScores, best: ComparedScores, surest: ComparedScores) -> VerdictLevel:
    if _fitness(own) <= _fitness(best):
        return "not_better"
    if _accuracy(own) >= _accuracy(surest):
        return "better"
    return "faster_but_solves_fewer" if (own.compute or 0) > (surest.compute or 0) else "solves_fewer"


def _sentence(level: VerdictLevel, own: ComparedScores, best: ComparedScores, surest: ComparedScores) -> str:
    solves = f"the champion solves {_percent(own)} of the held-out problems"
    fitness = f"fitness {own.fitness:.3f} against {best.fitness:.3f}"
    if surest == best:
        parent = f"its best parent, {best.name}, {_percent(best)}"
    else:
        parent = f"its most accurate parent, {surest.name}, {_percent(surest)}"
        fitness += f" of its best parent, {best.name}"
    match level:
        case "better":
            return f"Better than every parent: {solves} and {parent}; held-out {fitness}."
        case "faster_but_solves_fewer":
            depths = f"mean depth {_depths(own, surest)}"
            return f"Faster, but solves fewer: {solves} and {parent}; held-out {fitness}, {depths}."
        case "solves_fewer":
            return f"Fitter, but solves fewer: {solves} and {parent}; held-out {fitness}."
        case _:
            return f"Not better than its best parent: held-out {fitness}; {solves} and {parent}."


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
