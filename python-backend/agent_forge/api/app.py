"""The application: routes, errors, authentication. Never imports torch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from .. import __version__
from ..settings import Settings
from . import events, health, imports, merges, models, problem, reference_data, runs
from .backend import Backend
from .guard import BearerToken, BodyLimit


def create_app(lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None) -> FastAPI:
    """The routes alone: enough for the specification."""
    app = FastAPI(
        title="Agent Forge backend",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # A path with a slash too many is unknown, not elsewhere: a redirect would carry the token along.
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.include_router(health.router)
    for router in (reference_data.router, runs.router, merges.router, models.router, imports.router, events.router):
        app.include_router(router, prefix="/v1")
    problem.install(app)
    return app


def create_backend(settings: Settings, fatal: Callable[[str], None]) -> tuple[FastAPI, Backend]:
    """The application over a data directory. Raises what is wrong with the settings or the directory.

    `fatal` is called with the reason where a background task cannot go on: it has to end the process.
    """
    if settings.token is None:
        raise ValueError("AGENT_FORGE_TOKEN is not set: every route needs a bearer token of at least 16 characters")
    backend = Backend(settings, fatal)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await backend.start()
        try:
            yield
        finally:
            await backend.stop()

    app = create_app(lifespan)
    app.state.services = backend.services
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(BearerToken, token=settings.token.get_secret_value())
    return app, backend
