from __future__ import annotations

import numpy as np
import pytest
from evomerge.recorded import FRAME, PARENTS, faulted, measured
from hypothesis import given
from hypothesis import strategies as st
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from agent_forge.contract.evomerge import Candidate, EvoMergeConfig
from agent_forge.evomerge.measure.pareto import costs, objectives, pareto_front
from agent_forge.evomerge.search.strategies import strategy_of

PLAN = strategy_of(EvoMergeConfig(parents=list(PARENTS)), FRAME).ask()[0]


def candidates(rows: list[tuple[float, ...]]) -> list[Candidate]:
    """rows: total, bytes, then an accuracy per task."""
    return [
        measured(PLAN, total, slot, {f"task{index}": value for index, value in enumerate(scores)}, int(size))
        for slot, (total, size, *scores) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("rows", "front"),
    [
        ([], []),
        ([(0.5, 10, 0.1)], [0]),
        # better in all, better in one and worse in none
        ([(0.5, 10, 0.1, 0.1), (0.6, 9, 0.2, 0.2)], [1]),
        ([(0.5, 10, 0.1, 0.1), (0.6, 10, 0.1, 0.2)], [1]),
        # a trade-off between tasks, and between a task and size; the fittest comes first
        ([(0.5, 10, 0.1, 0.9), (0.6, 10, 0.9, 0.1)], [1, 0]),
        ([(0.7, 10, 0.9), (0.6, 5, 0.1)], [0, 1]),
        # of equals the fittest; of those that are as fit too the first
        ([(0.5, 10, 0.3), (0.6, 10, 0.3), (0.6, 10, 0.3)], [1]),
    ],
)
def test_fronts(rows: list[tuple[float, ...]], front: list[int]) -> None:
    found = pareto_front(candidates(rows))
    assert [point.candidate_id for point in found] == [f"run.g0.s{slot}" for slot in front]
    for point, slot in zip(found, front, strict=True):
        total, size, *scores = rows[slot]
        own = {f"accuracy/task{index}": value for index, value in enumerate(scores)}
        assert (point.fitness, point.objectives) == (total, {"bytes": size, **own})


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 3), *[st.integers(0, 4) for _ in range(3)]), min_size=1, max_size=30
    )
)
def test_the_front_is_the_first_of_non_dominated_sorting(rows: list[tuple[int, ...]]) -> None:
    ours = candidates([tuple(float(value) for value in row) for row in rows])
    table = np.array([costs(objectives(one)) for one in ours])
    first = {tuple(table[index]) for index in NonDominatedSorting().do(table, only_non_dominated_front=True)}
    assert {costs(point.objectives) for point in pareto_front(ours)} == first


def test_a_candidate_without_scores_is_on_no_front() -> None:
    first, second = candidates([(0.5, 10, 0.1), (0.9, 1, 0.9)])
    assert [one.candidate_id for one in pareto_front([first, faulted(second)])] == [first.id]


def test_a_candidate_that_stopped_early_is_on_no_front() -> None:
    first, second = candidates([(0.5, 10, 0.1), (0.9, 1, 0.9)])
    early = second.model_copy(update={"fitness": second.fitness.model_copy(update={"partial": True})})
    assert [one.candidate_id for one in pareto_front([first, early])] == [first.id]
