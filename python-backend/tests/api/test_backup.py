"""Backed up while a worker writes, damaged, restored: runs and models are back, and the run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from forge_server import PATIENCE_SECONDS, TINY_COGNATE, TOKEN, Server, is_status


def _forge(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AGENT_FORGE_DATA": str(data), "AGENT_FORGE_TOKEN": TOKEN}
    command = [sys.executable, "-m", "agent_forge", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


def _digests(server: Server, run_id: str) -> list[str]:
    run = server.wait(run_id, is_status("succeeded"))
    return [server.get(f"/v1/models/{model_id}")["digest"] for model_id in run["model_ids"]]


def test_a_run_goes_on_from_a_backup_that_was_made_while_it_ran(tmp_path: Path) -> None:
    server, file = Server(tmp_path / "data"), str(tmp_path / "backup.db")
    try:
        created = {**TINY_COGNATE, "foundation_steps": 0, "train_steps": 0}
        first = server.post("/v1/cognate/runs", created)["id"]
        models = server.wait(first, is_status("succeeded"))["model_ids"]
        second = server.post("/v1/cognate/runs", TINY_COGNATE)["id"]
        server.wait(second, lambda run: run["progress"]["done"] >= 1)
        epoch = server.get("/v1/system")["epoch"]
        made = _forge(server.data, "backup", file)
        assert (made.returncode, made.stderr) == (0, "")
        again = _forge(server.data, "backup", file)
        assert (again.returncode, again.stdout) == (1, "")
        assert "is there already" in again.stderr
        refused = _forge(server.data, "restore", file)
        assert refused.returncode == 1
        assert "stop Agent Forge first" in refused.stderr
        want = [
            server.get(f"/v1/models/{m}")["digest"] for m in server.wait(second, is_status("succeeded"))["model_ids"]
        ]
        late = server.post("/v1/cognate/runs", created)["id"]
        server.end()

        (server.data / "forge.db").write_bytes(b"garbage" * 10_000)
        broken = _forge(server.data, "serve", "--port", "0")
        assert (broken.returncode, broken.stdout) == (1, "")
        (line,) = broken.stderr.strip().splitlines()
        assert "forge.db is damaged" in line
        assert "npm run restore -- <file>" in line

        restored = _forge(server.data, "restore", file)
        assert (restored.returncode, restored.stderr) == (0, "")
        assert "Models whose file" not in restored.stdout
        server.start()
        assert server.get("/v1/system")["epoch"] != epoch
        reset = server.get(f"/v1/events?epoch={epoch}&after=100000")
        assert reset["reset"] == "unknown_epoch"
        assert [server.get(f"/v1/models/{m}")["id"] for m in models] == models
        assert late not in {run["id"] for run in server.get("/v1/runs")["items"]}
        assert _digests(server, second) == want
    finally:
        server.stop()
