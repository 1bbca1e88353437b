"""The backend itself: its workers, whether it is ready, what the machine has left."""

from __future__ import annotations

from typing import Literal

from .base import Count, Resource, Time


class WorkerInfo(Resource):
    pid: int
    device: str
    status: Literal["starting", "idle", "busy", "gone"]
    run_id: str | None
    heartbeat_at: Time | None


class ClusterNode(Resource):
    """A node of the cluster that children of runs are worked on."""

    id: str
    name: str
    address: str
    here: bool
    """Whether the worker that sends children there stands on it."""
    status: Literal["idle", "busy", "gone"]
    cpus: float
    gpus: float
    memory_bytes: Count
    devices: list[str]
    """Names of its GPUs; of its processor where it has none."""
    children: list[str]
    """What it works on: candidates by generation and slot, specialists by name."""


class Calibration(Resource):
    """Rates measured on this machine."""

    matmul_gflops: float
    bandwidth_gbytes: float
    measured_at: Time


class BackendReadiness(Resource):
    """Whether a run that is started now would be worked on."""

    status: Literal["ready", "degraded"]
    """`degraded`: fewer workers than wanted, a lease that has run out, or something that fails and is tried again."""
    workers_alive: Count
    """Idle or busy, and heard of within the time of a lease."""
    workers_wanted: Count
    oldest_queued_seconds: float | None
    """For how long the first run in the queue has waited for a worker; null where the queue is empty."""
    oldest_lease_seconds: float | None
    """Longest time since a worker renewed its lease on a run; null where none is held."""
    nodes_alive: Count
    """Of the cluster; 0 where there is none."""
    nodes_gone: Count
    """Those that were seen and are not there any more."""
    children_running: Count
    """Candidates and specialists that nodes work on now."""
    faults: list[str]
    """What fails at present and is tried again: background tasks, each with its error's code."""


class System(Resource):
    version: str
    versions: dict[str, str]
    epoch: str
    last_seq: Count
    started_at: Time
    readiness: BackendReadiness
    workers: list[WorkerInfo]
    nodes: list[ClusterNode]
    """Of the cluster; empty where runs are worked on by the workers alone."""
    queued_runs: Count
    calibration: Calibration | None
    models_directory: str
    disk_free: Count
    disk_total: Count
    memory_free: Count
    memory_total: Count
    cpu_count: Count
