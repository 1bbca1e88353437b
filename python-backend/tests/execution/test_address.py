"""Without a cluster to reach nothing begins, and the reason is said."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from agent_forge.execution.cluster.address import require
from agent_forge.execution.errors import NoCluster

installed = find_spec("ray") is not None


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (None, "needs RAY_ADDRESS"),
        ("", "needs RAY_ADDRESS"),
        ("127.0.0.1", "no cluster at 127.0.0.1"),
        ("127.0.0.1:port", "no cluster at 127.0.0.1:port"),
        ("127.0.0.1:1", "no cluster at 127.0.0.1:1"),
    ],
)
def test_what_is_wrong_is_said(address: str | None, reason: str) -> None:
    with pytest.raises(NoCluster, match=reason if installed else "npm run setup -- ray"):
        require(address)


@pytest.mark.skipif(not installed, reason="Ray is not installed: npm run setup -- ray")
def test_where_something_listens_ray_is_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert require(address) == address


def test_the_backend_does_not_begin(tmp_path: Path) -> None:
    own = {key: value for key, value in os.environ.items() if not key.startswith("AGENT_FORGE_")}
    settings = {"EXECUTOR": "ray", "RAY_ADDRESS": "127.0.0.1:1", "AGENT_FORGE_TOKEN": "t" * 32}
    started = subprocess.run(
        [sys.executable, "-m", "agent_forge", "serve", "--data", str(tmp_path)],
        env={**own, **settings},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert started.returncode == 1
    assert "cannot serve: " in started.stderr
    assert "RAY_ADDRESS: no cluster at 127.0.0.1:1" in started.stderr or not installed
    assert '"ready"' not in started.stdout
