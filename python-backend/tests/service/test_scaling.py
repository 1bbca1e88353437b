from __future__ import annotations

import pytest

from agent_forge.service.scaling import CHILD_SECONDS, NODES, on_nodes


def test_only_children_are_shared_out() -> None:
    found = on_nodes(100.0, 80.0, 8, 10)
    assert [one.nodes for one in found] == list(NODES)
    turns = {1: 8, 2: 4, 4: 2, 8: 1}
    for one in found:
        assert one.seconds == pytest.approx(20 + 10 * turns[one.nodes] * (1 + CHILD_SECONDS))


def test_a_round_waits_for_the_node_with_most_children() -> None:
    seconds = {one.nodes: one.seconds for one in on_nodes(3.0, 3.0, 3, 1)}
    assert seconds[4] == seconds[8] == pytest.approx(1 + CHILD_SECONDS)
    assert seconds[2] == pytest.approx(2 * (1 + CHILD_SECONDS))


def test_a_run_without_children_takes_as_long_on_any_cluster() -> None:
    assert {one.seconds for one in on_nodes(5.0, 0.0, 3, 0)} == {5.0}
