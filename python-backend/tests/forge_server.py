"""A real backend in a process of its own, with its workers, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from run_reads import events_of, run_of

PATIENCE_SECONDS = 900.0
"""A limit on hanging, not on speed: a busy machine may take a hundred times as long as a quiet one."""
TOKEN = "a-token-for-tests-only"  # noqa: S105
TINY_COGNATE = {
    "specializations": ["reasoning", "memory_integration"],
    "seeds": [42, 1337],
    "foundation_steps": 6,
    "train_steps": 4,
    "batch_tokens": 256,
    "eval_interval": 5,
    "eval_problems": 8,
    "checkpoint_interval": 2,
    "datasets": [{"name": "parity"}, {"name": "arithmetic"}],
}
PIPELINE = {
    "cognate": TINY_COGNATE,
    "evomerge": {"generations": 2, "eval_problems": 8, "heldout_problems": 8},
}


class Server:
    """`python -m agent_forge serve` on a port of its own choice."""

    def __init__(self, data: Path, environment: dict[str, str] | None = None, **settings: float) -> None:
        """settings: of the backend, by name."""
        self.data = data
        self.settings = {f"AGENT_FORGE_{name.upper()}": str(value) for name, value in settings.items()}
        self.settings |= environment or {}
        self.client = httpx.Client()
        self.start()

    def start(self) -> None:
        environment = {
            **os.environ,
            "AGENT_FORGE_DATA": str(self.data),
            "AGENT_FORGE_TOKEN": TOKEN,
            # One thread and no yielding: on a busy machine these tests would wait for everything else.
            "AGENT_FORGE_THREADS": "1",
            "AGENT_FORGE_NICE": "0",
            **self.settings,
        }
        self.log = (self.data.parent / "server.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent_forge", "serve", "--port", "0", "--exit-on-stdin-eof"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=environment,
        )
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        assert ready == {"ready": True, "port": ready["port"], "pid": self.process.pid}
        self.client.close()
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{ready['port']}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=PATIENCE_SECONDS,
        )

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 202, **headers: str) -> Any:
        answer = self.client.post(path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def wait(self, run_id: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            run = run_of(self.get, run_id)
            if until(run):
                return run
            assert run["status"] != "failed", run["failure"]
            time.sleep(0.05)
        raise AssertionError(f"still {run['status']} at {run['progress']}")

    def events(self) -> list[dict[str, Any]]:
        return events_of(self.get)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self._ended()
        self.client.close()

    def end(self) -> int:
        """As the end of the parent would. The exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self._ended()

    def stop(self) -> int:
        code = self.end()
        self.client.close()
        return code

    def _ended(self) -> int:
        code = self.process.wait(PATIENCE_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout, self.log):
            assert pipe is not None
            pipe.close()
        return code


def is_status(*statuses: str) -> Callable[[dict[str, Any]], bool]:
    return lambda run: run["status"] in statuses
