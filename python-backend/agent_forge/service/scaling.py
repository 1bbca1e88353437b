"""How a run's time falls with the nodes of a cluster, from its time on one machine."""

from __future__ import annotations

from math import ceil

from ..contract.cognate import OnNodes

NODES = (1, 2, 4, 8)
CHILD_SECONDS = 0.03
"""What sending a child to a node and its items back adds, measured with `npm run bench -- cluster` at nano."""


def on_nodes(seconds: float, parallel: float, children: int, rounds: int) -> list[OnNodes]:
    """seconds: of the whole run here; parallel: of these, spent on children; children: that can be worked on at once;
    rounds: how often so many are.

    A round takes as long as the node with most children; the rest is done on one machine, whatever there is beside it
    (Amdahl 1967).
    """
    alone, one = seconds - parallel, parallel / (children * rounds) if children and rounds else 0.0
    found = []
    for nodes in NODES:
        turns = ceil(children / nodes)
        found.append(OnNodes(nodes=nodes, seconds=alone + rounds * turns * (one + CHILD_SECONDS)))
    return found
