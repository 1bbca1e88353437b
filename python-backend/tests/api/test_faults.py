"""Killed at any moment, a run goes on and ends with the same bytes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from forge_server import TINY_COGNATE, Server, is_status

COGNATE = TINY_COGNATE | {
    "specializations": ["reasoning", "memory_integration"],
    "seeds": [42, 1337],
    "foundation_steps": 12,
    "train_steps": 8,
}
EVOMERGE = {"generations": 2, "eval_problems": 8, "heldout_problems": 8}
PIPELINE = {"cognate": COGNATE, "evomerge": EVOMERGE}


@pytest.fixture
def disturbed(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "data")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def undisturbed(server: Server) -> list[str]:
    return _digests(server, _start(server))


def _start(server: Server) -> dict[str, Any]:
    made: dict[str, Any] = server.post("/v1/pipelines", PIPELINE)
    return made


def _digests(server: Server, pipeline: dict[str, Any]) -> list[str]:
    """Of all models and all candidates, in the order of their making."""
    cognate = server.wait(pipeline["cognate"]["id"], is_status("succeeded"))
    bred = server.wait(pipeline["evomerge"]["id"], is_status("succeeded"))
    models = [server.get(f"/v1/models/{model}")["digest"] for model in cognate["model_ids"] + bred["model_ids"]]
    candidates = server.get(f"/v1/runs/{bred['id']}/candidates?limit=500")["items"]
    # A candidate's bytes come from parents whose ids differ from run to run; those bytes are what is compared.
    return [*models, *(candidate["digest"] for candidate in candidates)]


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


def test_a_killed_worker_changes_no_byte(disturbed: Server, undisturbed: list[str]) -> None:
    pipeline = _start(disturbed)
    run = disturbed.wait(pipeline["cognate"]["id"], _doing(7))
    os.kill(run["worker_pid"], signal.SIGKILL)
    resumed = disturbed.wait(pipeline["cognate"]["id"], lambda run: run["attempt"] == 2)
    assert resumed["failure"] is None
    run = disturbed.wait(pipeline["evomerge"]["id"], _doing(5))
    os.kill(run["worker_pid"], signal.SIGKILL)
    assert _digests(disturbed, pipeline) == undisturbed
    kinds = [event["type"] for event in disturbed.events() if event["run_id"] == pipeline["cognate"]["id"]]
    assert kinds.count("run.interrupted") == kinds.count("run.queued") == 1
    _assert_once(disturbed)


def test_a_killed_backend_changes_no_byte(disturbed: Server, undisturbed: list[str]) -> None:
    pipeline = _start(disturbed)
    disturbed.wait(pipeline["cognate"]["id"], _doing(14))
    epoch = disturbed.get("/v1/system")["epoch"]
    seen = disturbed.events()
    disturbed.kill()
    disturbed.start()
    assert disturbed.get("/v1/system")["epoch"] == epoch
    assert disturbed.events()[: len(seen)] == seen
    assert _digests(disturbed, pipeline) == undisturbed
    _assert_once(disturbed)


def test_pause_resume_cancel_retry(disturbed: Server, undisturbed: list[str]) -> None:
    pipeline = _start(disturbed)
    cognate, bred = pipeline["cognate"]["id"], pipeline["evomerge"]["id"]
    disturbed.wait(cognate, _doing(3))
    assert disturbed.post(f"/v1/runs/{cognate}/pause")["status"] == "pausing"
    paused = disturbed.wait(cognate, is_status("paused"), seconds=20)
    assert paused["worker_pid"] is None
    assert disturbed.post(f"/v1/runs/{cognate}/pause", status=409)["code"] == "conflict"
    assert disturbed.post(f"/v1/runs/{cognate}/resume")["status"] == "queued"
    disturbed.wait(cognate, lambda run: run["attempt"] == 2 and run["status"] == "running")
    disturbed.post(f"/v1/runs/{cognate}/cancel")
    disturbed.wait(cognate, is_status("cancelled"), seconds=20)
    assert disturbed.get(f"/v1/runs/{bred}")["failure"]["code"] == "dependency_failed"
    assert disturbed.post(f"/v1/runs/{bred}/retry", status=409)["code"] == "conflict"
    assert disturbed.post(f"/v1/runs/{cognate}/retry")["status"] == "queued"
    assert disturbed.get(f"/v1/runs/{bred}")["status"] == "queued"
    assert _digests(disturbed, pipeline) == undisturbed


def test_a_graceful_stop_queues_the_run_and_the_next_start_goes_on(disturbed: Server, undisturbed: list[str]) -> None:
    pipeline = _start(disturbed)
    disturbed.wait(pipeline["cognate"]["id"], _doing(5))
    with disturbed.client.stream("GET", "/v1/events/stream") as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": open"
        assert disturbed.stop() == 0
        with pytest.raises((httpx.HTTPError, StopIteration)):
            while True:
                next(lines)
    disturbed.start()
    run = disturbed.wait(pipeline["cognate"]["id"], lambda run: run["attempt"] == 2)
    assert run["failure"] is None
    assert _digests(disturbed, pipeline) == undisturbed


def test_a_second_backend_on_the_same_data_is_refused(disturbed: Server) -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        Server(disturbed.data)
    assert f"another backend uses {disturbed.data}" in (disturbed.data.parent / "server.log").read_text()
