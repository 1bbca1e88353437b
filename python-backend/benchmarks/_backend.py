"""A real backend in a process of its own, for benchmarks that go over HTTP."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

_ENDED = ("succeeded", "failed", "cancelled")


@contextmanager
def backend(data: Path, settings: Mapping[str, str] | None = None) -> Iterator[httpx.Client]:
    """Over a data directory; it ends with the block. settings: of the backend, by the names of their variables."""
    token = secrets.token_hex(24)
    command = [sys.executable, "-m", "agent_forge", "serve", "--host", "127.0.0.1", "--port", "0"]
    own = {"AGENT_FORGE_TOKEN": token, "AGENT_FORGE_DATA": str(data), "AGENT_FORGE_LOG_LEVEL": "WARNING"}
    process = subprocess.Popen(  # noqa: S603 - this very python
        [*command, "--exit-on-stdin-eof"],
        env={**os.environ, **own, **(settings or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None  # noqa: S101 - for the type checker: both are pipes
        assert process.stdout is not None  # noqa: S101
        ready = process.stdout.readline()
        if not ready:
            raise RuntimeError(f"the backend ended with code {process.wait()}")
        port = json.loads(ready)["port"]
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/v1", headers=headers, timeout=600) as client:
            yield client
        process.stdin.close()
        process.wait(30)
    finally:
        process.kill()
        process.wait()


def created(client: httpx.Client, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a POST made. Raises RuntimeError with the problem that the backend names."""
    answer = client.post(path, json=body)
    if answer.is_error:
        raise RuntimeError(f"POST {path}: {answer.text}")
    found: dict[str, Any] = answer.json()
    return found


def ended(read: Callable[[], dict[str, Any]], every: float = 0.2) -> dict[str, Any]:
    """A run or an import once it has succeeded. every: seconds between two looks. Raises RuntimeError otherwise."""
    while (found := read())["status"] not in _ENDED:
        time.sleep(every)
    if found["status"] != "succeeded":
        raise RuntimeError(f"{found['id']} is {found['status']}: {found.get('failure') or found.get('fault')}")
    return found


def run_of(client: httpx.Client, run_id: str) -> dict[str, Any]:
    """A run among the latest hundred."""
    page = client.get("/runs?limit=100").raise_for_status().json()
    return next(run for run in page["items"] if run["id"] == run_id)
