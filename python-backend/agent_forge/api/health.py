"""Liveness and readiness, without a token."""

from __future__ import annotations

from fastapi import APIRouter

from ..contract.base import Resource
from ..contract.system import BackendReadiness
from .dependencies import Injected

router = APIRouter(tags=["system"])


class Health(Resource):
    status: str


@router.get("/healthz", operation_id="getHealth")
def get_health() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", operation_id="getReadiness")
def get_readiness(services: Injected) -> BackendReadiness:
    """Whether the database answers, and whether a run that is started now would be worked on; if not, why."""
    return services.runs.readiness()
