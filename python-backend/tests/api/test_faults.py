"""Killed at any moment, a run goes on and ends with the same bytes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forge_server import PATIENCE_SECONDS, PIPELINE, TOKEN, Server, is_status
from run_reads import candidates_of, run_of


@pytest.fixture
def disturbed(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "data")
    yield started
    started.stop()


@pytest.fixture(scope="session")
def undisturbed(server: Server, pipeline: dict[str, Any]) -> list[str]:
    return _digests(server, pipeline)


@pytest.fixture(scope="session")
def undisturbed_parents(server: Server, pipeline: dict[str, Any]) -> list[str]:
    return _digests(server, pipeline | {"evomerge": None})


def _digests(server: Server, pipeline: dict[str, Any]) -> list[str]:
    """Of all models and all candidates, in the order of their making."""
    cognate = server.wait(pipeline["cognate"]["id"], is_status("succeeded"))
    models = [server.get(f"/v1/models/{model}")["digest"] for model in cognate["model_ids"]]
    if pipeline["evomerge"] is None:
        return models
    bred = server.wait(pipeline["evomerge"]["id"], is_status("succeeded"))
    return [*models, *(candidate["digest"] for candidate in candidates_of(server.get, bred["id"]))]


def _doing(done: int) -> Any:
    return lambda run: run["status"] == "running" and run["progress"]["done"] >= done


def _assert_once(server: Server) -> None:
    events = server.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    keys = [
        (event["type"], event["payload"].get("id") or (event["payload"].get("stage"), event["payload"].get("step")))
        for event in events
        if event["type"] in ("model.registered", "training.evaluated", "candidate.evaluated")
    ]
    assert len(keys) == len(set(keys))


def test_a_killed_worker_and_a_killed_backend_change_no_byte(disturbed: Server, undisturbed: list[str]) -> None:
    pipeline = disturbed.post("/v1/pipelines", PIPELINE)
    cognate, bred = pipeline["cognate"]["id"], pipeline["evomerge"]["id"]
    run = disturbed.wait(cognate, _doing(3))
    os.kill(run["worker_pid"], signal.SIGKILL)
    disturbed.wait(cognate, lambda run: run["attempt"] == 2)
    run = disturbed.wait(bred, _doing(3))
    epoch, seen = disturbed.get("/v1/system")["epoch"], disturbed.events()
    disturbed.kill()
    disturbed.start()
    assert disturbed.get("/v1/system")["epoch"] == epoch
    assert disturbed.events()[: len(seen)] == seen
    assert _digests(disturbed, pipeline) == undisturbed
    kinds = [event["type"] for event in disturbed.events() if event["run_id"] == cognate]
    assert kinds.count("run.interrupted") == kinds.count("run.queued") == 1
    _assert_once(disturbed)


def test_paused_cancelled_retried_and_stopped_a_run_changes_no_byte(disturbed: Server, undisturbed: list[str]) -> None:
    pipeline = disturbed.post("/v1/pipelines", PIPELINE | {"evomerge": None})
    cognate = pipeline["cognate"]["id"]
    disturbed.wait(cognate, _doing(1))
    assert disturbed.post(f"/v1/runs/{cognate}/pause")["status"] == "pausing"
    paused = disturbed.wait(cognate, is_status("paused"))
    assert paused["worker_pid"] is None
    assert disturbed.post(f"/v1/runs/{cognate}/pause", status=409)["code"] == "conflict"
    assert disturbed.post(f"/v1/runs/{cognate}/resume")["status"] == "queued"
    disturbed.wait(cognate, lambda run: run["attempt"] == 2 and run["status"] == "running")
    disturbed.post(f"/v1/runs/{cognate}/cancel")
    disturbed.wait(cognate, is_status("cancelled"))
    assert disturbed.post(f"/v1/runs/{cognate}/retry")["status"] == "queued"
    disturbed.wait(cognate, lambda run: run["attempt"] == 3 and run["status"] == "running")
    with disturbed.client.stream("GET", "/v1/events/stream") as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": open"
        assert disturbed.end() == 0
        assert "run.succeeded" not in "".join(lines)
    disturbed.start()
    assert disturbed.wait(cognate, lambda run: run["attempt"] == 4)["failure"] is None
    assert _digests(disturbed, pipeline) == undisturbed[:3]


def test_a_worker_that_holds_too_much_after_a_run_is_replaced(tmp_path: Path, undisturbed: list[str]) -> None:
    renewing = Server(tmp_path / "data", worker_memory_bytes=0)
    try:
        pipeline = renewing.post("/v1/pipelines", PIPELINE)
        first = renewing.wait(pipeline["cognate"]["id"], _doing(1))["worker_pid"]
        second = renewing.wait(pipeline["evomerge"]["id"], _doing(1))["worker_pid"]
        assert first != second
        assert _digests(renewing, pipeline) == undisturbed
        kinds = [event["type"] for event in renewing.events()]
        assert "run.interrupted" not in kinds
    finally:
        renewing.stop()
    log = (tmp_path / "server.log").read_text()
    assert "a fresh worker follows" in log
    assert "worker ended" not in log


def test_a_worker_killed_while_another_program_holds_the_lock_is_replaced(
    tmp_path: Path, undisturbed_parents: list[str]
) -> None:
    """The run goes on as soon as the lock is free, although the API gave up waiting for it many times."""
    locked = Server(tmp_path / "data", database_busy_seconds=0.5)
    try:
        pipeline = locked.post("/v1/pipelines", PIPELINE | {"evomerge": None})
        cognate = pipeline["cognate"]["id"]
        run = locked.wait(cognate, _doing(1))
        other = sqlite3.connect(locked.data / "forge.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        os.kill(run["worker_pid"], signal.SIGKILL)
        refused = locked.client.post("/v1/pipelines", json=PIPELINE)
        assert (refused.status_code, refused.json()["code"]) == (503, "database_busy")
        assert refused.headers["retry-after"]
        # A new worker is there while the run still waits to be given up.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while [w["status"] for w in locked.get("/v1/system")["workers"]] != ["idle"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert run_of(locked.get, cognate)["attempt"] == 1
        other.rollback()
        other.close()
        locked.wait(cognate, lambda run: run["attempt"] == 2)
        assert _digests(locked, pipeline) == undisturbed_parents
        _assert_once(locked)
    finally:
        locked.stop()


def test_on_a_full_disk_runs_wait_with_the_reason_and_go_on_when_there_is_room(
    tmp_path: Path, undisturbed_parents: list[str]
) -> None:
    """One fruitless start would fail the run, and none is counted."""
    full = tmp_path / "full"
    injected = {"PYTHONPATH": str(Path(__file__).parents[1] / "full_disk"), "FULL_DISK": str(full)}
    server = Server(tmp_path / "data", injected, max_fruitless_attempts=1)
    try:
        pipeline = server.post("/v1/pipelines", PIPELINE | {"evomerge": None})
        cognate = pipeline["cognate"]["id"]
        server.wait(cognate, _doing(1))
        full.touch()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "the run cannot go on now: disk_full" not in (tmp_path / "server.log").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        refused = server.client.post("/v1/pipelines", json=PIPELINE)
        assert (refused.status_code, refused.json()["code"]) == (507, "disk_full")
        assert "disk space" in refused.json()["hint"]
        full.unlink()
        assert _digests(server, pipeline) == undisturbed_parents
        run = run_of(server.get, cognate)
        assert (run["attempt"] > 1, run["failure"]) == (True, None)
        interrupted = [e["payload"] for e in server.events() if e["type"] == "run.interrupted"]
        assert {payload["failure"]["code"] for payload in interrupted} == {"disk_full"}
        _assert_once(server)
    finally:
        server.stop()


def test_a_backend_that_cannot_watch_its_leases_ends_and_says_why(tmp_path: Path) -> None:
    program = (
        "import sys; from agent_forge.__main__ import main; from agent_forge.supervision.supervisor import Supervisor\n"
        "def broken(*_): raise RuntimeError('broken')\n"
        "Supervisor._give_up = broken\n"
        "sys.exit(main(['serve', '--port', '0']))"
    )
    environment = {**os.environ, "AGENT_FORGE_DATA": str(tmp_path), "AGENT_FORGE_TOKEN": TOKEN}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert ended.returncode == 70
    assert "background task leases cannot go on: RuntimeError: broken" in ended.stderr


def test_a_second_backend_on_the_same_data_is_refused(disturbed: Server) -> None:
    environment = {"AGENT_FORGE_DATA": str(disturbed.data), "AGENT_FORGE_TOKEN": TOKEN}
    command = [sys.executable, "-m", "agent_forge", "serve"]
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert (second.returncode, second.stdout) == (1, "")
    assert f"another backend uses {disturbed.data}" in second.stderr
