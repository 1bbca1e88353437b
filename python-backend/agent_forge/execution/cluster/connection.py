"""The cluster as this process sees it: connected to once, its nodes known by what they say of themselves."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ...contract.system import ClusterNode
from ...versions import versions
from ..errors import NoCluster, OtherNode
from .address import require
from .task import ALIKE, facts

log = logging.getLogger(__name__)

FACTS_SECONDS = 300.0
"""For a node to say what it is: its first process has to import torch, on a busy machine."""


@dataclass(frozen=True)
class _Node:
    """A node that was seen alive."""

    id: str
    name: str
    address: str
    cpus: float
    gpus: float
    memory: int
    facts: Mapping[str, Any]


class Cluster:
    """Raises NoCluster where there is none, and OtherNode where a node runs other versions."""

    def __init__(self, address: str | None, models: Path, threads: int | None) -> None:
        """models: the directory that nodes may share. threads: of one child; None: all of the smallest node."""
        reachable = require(address)
        try:
            ray.init(address=reachable, namespace="agent_forge", log_to_driver=False, configure_logging=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise NoCluster(f"RAY_ADDRESS: no connection to the cluster at {address}: {error}") from error
        self._own = ray.get_runtime_context().get_node_id()
        self._marker = models / ".scratch" / f".{uuid4().hex}"
        self._nodes: dict[str, _Node] = {}
        self._alive: set[str] = set()
        self._lock = threading.Lock()
        self._doing: dict[str, Counter[str]] = {}
        self.look()
        for node in self._nodes.values():
            _refuse_other_versions(node)
        sizes = sorted(int(node.cpus) for node in self._nodes.values() if node.cpus >= 1)
        if not sizes:
            raise NoCluster(f"the cluster at {address} has no CPUs: start its nodes with --num-cpus of 1 and more")
        self.threads = threads or sizes[0]
        if self.threads > sizes[-1]:
            raise NoCluster(f"a child takes {self.threads} threads, and the largest node has {sizes[-1]} CPUs")

    def close(self) -> None:
        """Leave the cluster. A process that stays when the cluster ends is ended by Ray a minute later."""
        ray.shutdown()

    @property
    def places(self) -> int:
        """Children that can be worked on at once."""
        return max(1, sum(int(node.cpus // self.threads) for node in self._living()))

    @property
    def files_shared(self) -> bool:
        """Whether every node sees the models directory under the path that it has here."""
        return all(node.facts["files_shared"] for node in self._living())

    def look(self) -> list[str]:
        """Ask new nodes what they are. Ids of those that are gone since the last look."""
        listed = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        new = [listed[node_id] for node_id in listed if node_id not in self._nodes]
        for node in self._asked(new) if new else []:
            self._nodes[node.id] = node
            log.info("node %s: %g CPUs, %g GPUs, %s", node.name, node.cpus, node.gpus, ", ".join(node.facts["devices"]))
        gone = [node_id for node_id in self._alive if node_id not in listed]
        self._alive = {node_id for node_id in listed if node_id in self._nodes}
        return gone

    def name(self, node_id: str) -> str:
        node = self._nodes.get(node_id)
        return node.name if node is not None else node_id[:8]

    def began(self, node_id: str, child: str) -> None:
        with self._lock:
            self._doing.setdefault(node_id, Counter())[child] += 1

    def ended(self, node_id: str, child: str) -> None:
        with self._lock:
            self._doing.setdefault(node_id, Counter())[child] -= 1

    def nodes(self) -> list[ClusterNode]:
        """From any thread. Those that joined since the last run began are not known yet."""
        alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        with self._lock:
            doing = {node: sorted(+children) for node, children in self._doing.items()}
        return [
            ClusterNode(
                id=node.id,
                name=node.name,
                address=node.address,
                here=node.id == self._own,
                status="gone" if node.id not in alive else "busy" if doing.get(node.id) else "idle",
                cpus=node.cpus,
                gpus=node.gpus,
                memory_bytes=node.memory,
                devices=list(node.facts["devices"]),
                children=doing.get(node.id, []) if node.id in alive else [],
            )
            for node in list(self._nodes.values())
        ]

    def require_room(self, memory: int, gpus: int) -> None:
        """Raises NoCluster where no node could ever work on a child."""
        fit = [
            node for node in self._living() if node.cpus >= self.threads and node.gpus >= gpus and node.memory >= memory
        ]
        if not fit:
            raise NoCluster(
                f"no node of the cluster has the {self.threads} CPUs, {gpus} GPUs and {memory / 1e6:.0f} MB of memory "
                "that one child takes"
            )

    def _living(self) -> list[_Node]:
        return [self._nodes[node_id] for node_id in self._alive]

    def _asked(self, listed: list[dict[str, Any]]) -> list[_Node]:
        """Those that answer; the others are asked again at the next look."""
        self._marker.parent.mkdir(parents=True, exist_ok=True)
        self._marker.touch()
        try:
            ask: Callable[..., Any] = ray.remote(facts).options
            asked = {
                ask(
                    num_cpus=0,
                    max_retries=0,
                    scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
                ).remote(self._marker): node
                for node in listed
            }
            ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=FACTS_SECONDS)
            for reference in late:
                log.warning("node %s says nothing of itself", asked[reference]["NodeName"])
                ray.cancel(reference)
            found = []
            for reference in ready:
                try:
                    found.append(self._node(asked[reference], ray.get(reference)))
                except ray.exceptions.RayTaskError as error:
                    raise OtherNode(
                        f"node {asked[reference]['NodeName']} cannot run this program: install it there at the same "
                        f"version ({error.cause})"
                    ) from error
                except ray.exceptions.RayError as error:
                    log.warning("node %s does not answer: %s", asked[reference]["NodeName"], error)
            return found
        finally:
            self._marker.unlink(missing_ok=True)

    def _node(self, listed: Mapping[str, Any], own: Mapping[str, Any]) -> _Node:
        resources, address = listed["Resources"], listed["NodeManagerAddress"]
        named = listed["NodeName"] if listed["NodeName"] != address else own["host"]
        taken = {node.name for node in self._nodes.values()}
        return _Node(
            id=listed["NodeID"],
            name=f"{named}/{listed['NodeID'][:6]}" if named in taken or _twins() else named,
            address=address,
            cpus=float(resources.get("CPU", 0.0)),
            gpus=float(resources.get("GPU", 0.0)),
            memory=int(resources.get("memory", 0.0)),
            facts=own,
        )


def _twins() -> bool:
    """Whether several nodes stand on one machine, as in tests."""
    addresses = [node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]]
    return len(set(addresses)) < len(addresses)


def _refuse_other_versions(node: _Node) -> None:
    for name, expected in versions().items():
        found = node.facts["versions"][name]
        if name in ALIKE and found != expected:
            raise OtherNode(f"node {node.name} has {name} {found}, the backend {expected}: update it")
