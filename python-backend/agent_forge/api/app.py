"""The application: routes, errors, authentication. Never imports torch."""

from __future__ import annotations

from fastapi import FastAPI

from .. import __version__
from . import catalogue, events, health, models, runs


def create_app() -> FastAPI:
    app = FastAPI(title="Agent Forge backend", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(health.router)
    for router in (catalogue.router, runs.router, models.router, events.router):
        app.include_router(router, prefix="/v1")
    return app
