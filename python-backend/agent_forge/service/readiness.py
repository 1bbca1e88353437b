"""Whether a run started now would be worked on: workers, the queue, and leases."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ..contract.base import now
from ..contract.system import BackendReadiness, ClusterNode
from ..store import run_rows


def readiness(
    connection: Connection,
    *,
    alive: int,
    wanted: int,
    faults: list[str],
    lease_seconds: float,
    nodes: Sequence[ClusterNode] = (),
) -> BackendReadiness:
    """`degraded` also where a lease has expired and was not ended: what should end it cannot."""
    since = run_rows.oldest_queued(connection)
    ends = [until for _, _, until in run_rows.holders(connection)]
    age = max(0.0, run_rows.monotonic() - (min(ends) - lease_seconds)) if ends else None
    overdue = age is not None and age > lease_seconds
    return BackendReadiness(
        status="degraded" if alive < wanted or faults or overdue else "ready",
        workers_alive=alive,
        workers_wanted=wanted,
        # The wall clock may have been set back meanwhile.
        oldest_queued_seconds=max(0.0, (now() - since).total_seconds()) if since is not None else None,
        oldest_lease_seconds=age,
        nodes_alive=sum(node.status != "gone" for node in nodes),
        nodes_gone=sum(node.status == "gone" for node in nodes),
        children_running=sum(len(node.children) for node in nodes),
        faults=faults,
    )
