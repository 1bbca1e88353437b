"""Merges of registered models, each a run: by a recipe, or by a merge configuration of mergekit as it is; and what a
configuration of mergekit-evolve means here."""

from __future__ import annotations

from fastapi import APIRouter

from ..contract.evomerge import EvolveConfig, EvoMergeConfig
from ..contract.merge import MergeConfig, MergeForecast
from ..contract.run import Run
from .configuration_body import TEXT, ConfigurationRoute
from .dependencies import IdempotencyKey, Injected, problems
from .tracing import TraceId

router = APIRouter(tags=["runs"], route_class=ConfigurationRoute)
_BODY = {"requestBody": {"required": True, **TEXT}}


@router.post(
    "/merges",
    operation_id="createMerge",
    status_code=202,
    responses=problems(409, 410, 503),
    openapi_extra=_BODY,
)
def create_merge(config: MergeConfig, services: Injected, trace: TraceId, key: IdempotencyKey = None) -> Run:
    """Merge registered models into a new one. As `application/yaml` the body is a merge configuration, and the other
    fields are parameters of the query."""
    return services.merges.create(config, key=key, trace_id=trace)


@router.post("/merges/forecast", operation_id="forecastMerge", responses=problems(410), openapi_extra=_BODY)
def forecast_merge(config: MergeConfig, services: Injected) -> MergeForecast:
    """Recipe, result, sizes, time and resources of a merge, without starting it."""
    return services.merges.forecast(config)


@router.post(
    "/evomerge/configuration", operation_id="readEvolveConfiguration", responses=problems(), openapi_extra=_BODY
)
def read_evolve_configuration(config: EvolveConfig, services: Injected) -> EvoMergeConfig:
    """What a configuration of mergekit-evolve asks for, as the configuration of an evomerge run; starts nothing."""
    return services.merges.evolution(config)
