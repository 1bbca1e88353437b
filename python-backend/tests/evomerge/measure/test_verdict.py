"""The verdict: better only where nothing was given up for it."""

from __future__ import annotations

import pytest
from evomerge.recorded import LEAVES, measured

from agent_forge.contract.evomerge import Fitness, Role
from agent_forge.contract.fault import Fault
from agent_forge.contract.recipe import MergeNode
from agent_forge.contract.report import Baseline, StoppedBy, VerdictLevel
from agent_forge.evomerge.measure.verdict import verdict
from agent_forge.evomerge.search.strategy import Plan

CHAMPION = measured(
    Plan(role=Role.winner, op="linear", recipe=MergeNode(op="linear", inputs=LEAVES), parents=["a"]), 0.8, 0
)


def scores(total: float, accuracy: float, compute: float = 1.0, depth: float = 3.0) -> Fitness:
    return Fitness(
        total=total, likelihood=0.5, accuracy=accuracy, compute=compute, memory=1, mean_depth=depth, tasks={}
    )


def parent(name: str, heldout: Fitness | None, fault: Fault | None = None) -> Baseline:
    return Baseline(
        name=f"parent:{name}",
        model_id=f"id of {name}",
        parameters=1,
        bytes=1,
        selection=scores(0.1, 0.1),
        heldout=heldout,
        heldout_fault=fault,
    )


@pytest.mark.parametrize(
    ("own", "parents", "level", "said"),
    [
        (scores(0.8, 0.7), [scores(0.6, 0.5), scores(0.7, 0.6)], "better", "Better than every parent"),
        (
            scores(0.8, 0.6),
            [scores(0.7, 0.6)],
            "better",
            "Better than every parent: the champion solves 60.0 % of the held-out problems and its best parent, p0, "
            "60.0 %; held-out fitness 0.800 against 0.700; mean depth 3.00 against 3.00.",
        ),
        # 5.3 % fitter, since it computes less: 38 % solved, where a parent solves 55 %
        (
            scores(0.7371, 0.38, compute=2.0, depth=1.5),
            [scores(0.70, 0.35), scores(0.66, 0.55, compute=0.9, depth=3.4)],
            "faster_but_solves_fewer",
            "Faster, but solves fewer: the champion solves 38.0 % of the held-out problems and its most accurate "
            "parent, p1, 55.0 %; held-out fitness 0.737 against 0.700 of its best parent, p0; mean depth 1.50 "
            "against 3.40.",
        ),
        (scores(0.8, 0.5), [scores(0.7, 0.6)], "solves_fewer", "Fitter, but solves fewer"),
        (scores(0.7, 0.9), [scores(0.7, 0.6)], "not_better", "Not better than its best parent"),
        (scores(0.6, 0.5), [scores(0.7, 0.6)], "not_better", "0.600 against 0.700"),
    ],
)
def test_levels(own: Fitness, parents: list[Fitness], level: VerdictLevel, said: str) -> None:
    baselines = [parent(f"p{index}", one) for index, one in enumerate(parents)]
    found = verdict(CHAMPION, "champion model", own, None, baselines, "generations")
    assert found.level == level
    assert said in found.sentence
    assert found.champion is not None
    assert (found.champion.fitness, found.champion.accuracy, found.champion.mean_depth) == (
        own.total,
        own.accuracy,
        own.mean_depth,
    )
    assert found.best_parent is not None
    assert found.best_parent.fitness == max(one.total for one in parents)
    assert found.most_accurate_parent is not None
    assert found.most_accurate_parent.accuracy == max(one.accuracy or 0 for one in parents)


@pytest.mark.parametrize(
    ("own", "merges", "level", "said"),
    [
        (scores(0.9, 0.9), {"ties": 0.7, "swudi": 0.8}, "better", "Better than the best single merge and every parent"),
        (scores(0.9, 0.9), {"ties": 0.7, "swudi": 0.9}, "not_better_than_merge", "the best single merge, swudi"),
        (scores(0.9, 0.9), {"task_arithmetic": 0.95}, "not_better_than_merge", "against 0.950 and 0.600"),
        (scores(0.5, 0.9), {"ties": 0.7}, "not_better", "Not better than its best parent"),
        # no merge of one shot: not what a single merge means
        (scores(0.9, 0.9), {"best_generation_0": 0.95, "foundation": 0.97}, "better", "Better than every parent"),
    ],
)
def test_beside_single_merges(own: Fitness, merges: dict[str, float], level: VerdictLevel, said: str) -> None:
    rivals = [
        parent("p", None).model_copy(update={"name": name, "heldout": scores(total, 0.5)})
        for name, total in merges.items()
    ]
    unpolished = scores(0.7, 0.6)
    found = verdict(
        CHAMPION, "champion model", own, None, [parent("p", scores(0.6, 0.5)), *rivals], "generations", unpolished
    )
    assert found.level == level
    assert said in found.sentence
    assert found.unpolished is not None
    assert found.unpolished.fitness == 0.7


FAULT = Fault(kind="loss_not_finite", message="on parity the loss is not finite")


@pytest.mark.parametrize(
    ("champion", "heldout", "fault", "stopped_by", "parents", "said"),
    [
        (False, None, None, None, [], "no candidate was measured"),
        (False, None, None, "generations", [], "There is no champion"),
        (True, None, None, None, [], "There is no verdict yet"),
        (True, None, None, "cancelled", [], "the run was cancelled"),
        (True, None, FAULT, "generations", [parent("p", scores(1, 1))], "on parity the loss is not finite"),
        (True, scores(1, 1), None, "generations", [parent("p", None, FAULT)], "no parent could be measured"),
    ],
)
def test_without_scores_there_is_no_verdict(
    champion: bool,
    heldout: Fitness | None,
    fault: Fault | None,
    stopped_by: StoppedBy | None,
    parents: list[Baseline],
    said: str,
) -> None:
    found = verdict(CHAMPION if champion else None, None, heldout, fault, parents, stopped_by)
    assert (found.level, found.champion is not None) == ("unmeasured", champion)
    assert said in found.sentence
