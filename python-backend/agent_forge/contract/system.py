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
    queued_runs: Count
    calibration: Calibration | None
    models_directory: str
    disk_free: Count
    disk_total: Count
    memory_free: Count
    memory_total: Count
    cpu_count: Count
