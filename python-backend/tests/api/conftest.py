"""Real backends: in process without workers, and as a process of their own with everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from forge_server import PIPELINE, TOKEN, Server, is_status
from pydantic import SecretStr

from agent_forge.api.app import create_backend
from agent_forge.settings import Settings


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server") / "data")
    yield started
    assert started.stop() == 0


@pytest.fixture(scope="session")
def pipeline(server: Server) -> dict[str, Any]:
    """A pipeline that nothing disturbed."""
    made = server.post("/v1/pipelines", PIPELINE)
    ended = {kind: server.wait(made[kind]["id"], is_status("succeeded")) for kind in ("cognate", "evomerge")}
    assert {run["pipeline_id"] for run in ended.values()} == {made["id"]}
    return {**made, **ended}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Without workers: runs stay queued."""
    return Settings(data=tmp_path / "data", token=SecretStr(TOKEN), workers=0, dataset_roots=[tmp_path])


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    app, _ = create_backend(settings, pytest.fail)
    with TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}, raise_server_exceptions=False) as opened:
        yield opened
