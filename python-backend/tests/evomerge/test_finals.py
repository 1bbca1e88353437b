from __future__ import annotations

import pytest
from evomerge.recorded import LEAVES, measured

from agent_forge.contract.evomerge import Candidate, Role
from agent_forge.contract.fault import Fault
from agent_forge.contract.recipe import MergeNode
from agent_forge.evomerge.finals import chosen_finalists
from agent_forge.evomerge.search.strategy import Plan


def candidate(number: int, total: float, role: Role = Role.winner) -> Candidate:
    plan = Plan(role=role, op="linear", recipe=MergeNode(op="linear", inputs=LEAVES), parents=["a"])
    return measured(plan, total, number).model_copy(update={"digest": f"{number:064}"})


RUN = [candidate(0, 0.5), candidate(1, 0.7), candidate(2, 0.6, Role.polished), candidate(3, 0.65)]
LATE = [candidate(number, 0.8 + number / 1000) for number in range(4, 14)]


@pytest.mark.parametrize(
    ("recorded", "most", "expected"),
    [
        # the best, what was polished, the best of their time
        ([*RUN, *LATE], 8, [13, 12, 11, 10, 2, 0, 1, 4]),
        ([*RUN, *LATE], 3, [13, 12, 2]),
        (RUN, 8, [1, 3, 2, 0]),
        ([*RUN, *LATE], 0, []),
        ([], 8, []),
    ],
)
def test_table(recorded: list[Candidate], most: int, expected: list[int]) -> None:
    assert [one.slot for one in chosen_finalists(recorded, most)] == expected


def test_neither_what_stopped_early_nor_what_has_a_fault_nor_the_same_bytes_twice() -> None:
    best, other, same = candidate(0, 0.9), candidate(1, 0.8), candidate(2, 0.9)
    stopped = best.model_copy(update={"fitness": best.fitness.model_copy(update={"partial": True})})
    broken = best.model_copy(update={"fault": Fault(kind="merge_refused", message="no")})
    assert chosen_finalists([stopped, other], 8) == [other]
    assert chosen_finalists([broken, other], 8) == [other]
    assert chosen_finalists([best, same.model_copy(update={"digest": best.digest})], 8) == [best]
