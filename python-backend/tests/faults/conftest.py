"""How much is tried, from the environment as `npm run test:faults` sets it; by default what `npm test` can afford."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from forge_server import TINY_COGNATE, Server, is_status

SEED = int(os.environ.get("FAULTS_SEED", "1"))
ONLY = int(os.environ["FAULTS_CASE"]) if "FAULTS_CASE" in os.environ else None
EXAMPLES = int(os.environ.get("FAULTS_EXAMPLES", "2"))
POINTS = int(os.environ.get("FAULTS_POINTS", "7"))

SMALLEST = {
    "cognate": TINY_COGNATE | {"foundation_steps": 2, "train_steps": 2},
    "evomerge": {
        "generations": 1,
        "strategy": "cma_es",
        "population": 2,
        "ops": ["linear"],
        "eval_problems": 8,
        "heldout_problems": 8,
        "barrier_points": 1,
    },
}


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A backend with a bred pipeline in its data, whose runs from now on stay queued."""
    server = Server(tmp_path_factory.mktemp("lived") / "data")
    made = server.post("/v1/pipelines", SMALLEST)
    server.wait(made["evomerge"]["id"], is_status("succeeded"))
    assert server.stop() == 0
    server.settings["AGENT_FORGE_WORKERS"] = "0"
    server.start()
    yield server
    server.stop()


def programs() -> Path:
    """Where the programs of this Python environment are."""
    return Path(sys.executable).parent
