"""The main job, end to end, over HTTP with real processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from forge_server import PIPELINE, TINY_COGNATE, Server
from run_reads import candidates_of, payloads_of, run_of, store_of

from agent_forge.contract.event import Event
from agent_forge.store import result_rows


def test_parents_are_made_and_bred(server: Server, pipeline: dict[str, Any]) -> None:
    cognate, bred = pipeline["cognate"], pipeline["evomerge"]
    assert bred["depends_on"] == cognate["id"]
    assert len(cognate["model_ids"]) == 3
    assert bred["evomerge"]["parents"] == cognate["model_ids"][1:]
    assert cognate["progress"]["done"] == cognate["progress"]["total"] == 6 + 2 * 4
    assert bred["progress"]["done"] == bred["progress"]["total"] == 16
    for run in (cognate, bred):
        assert run["attempt"] == 1
        assert run["busy_seconds"] > 0
        assert run["worker_pid"] is None
        assert {"torch", "python", "code", "threads"} <= run["versions"].keys()
        assert run["device"] in ("cpu", "cuda")


def test_every_file_has_the_size_that_was_forecast(server: Server, pipeline: dict[str, Any]) -> None:
    forecast = server.post("/v1/cognate/forecast", TINY_COGNATE, status=200)
    models = server.get("/v1/models?kind=specialist")["items"]
    assert len(models) == 2
    for model in models:
        assert model["bytes"] == forecast["models"][0]["bytes"]
        path = server.data / "models" / model["files"][0]["path"]
        assert path.stat().st_size == model["bytes"]
        assert path.with_name(f"{path.stem}_metadata.json").is_file()


def test_the_log_tells_everything_in_order_and_without_gap(server: Server, pipeline: dict[str, Any]) -> None:
    events = server.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    for event in events:
        Event.model_validate(event)
    for run in (pipeline["cognate"], pipeline["evomerge"]):
        own = [event for event in events if event["run_id"] == run["id"]]
        assert [event["run_seq"] for event in own] == list(range(1, len(own) + 1))
        kinds = [event["type"] for event in own]
        assert kinds[0] == "run.created"
        assert kinds.count("run.succeeded") == 1
        last = [event["payload"] for event in own if event["type"].startswith("run.") and event["type"] != "run.log"]
        assert last[-1] == run_of(server.get, run["id"])
    kinds = [event["type"] for event in events]
    assert kinds.count("candidate.evaluated") == 16
    assert kinds.count("generation.completed") == 2


def test_reads_agree_with_each_other(server: Server, pipeline: dict[str, Any]) -> None:
    cognate, bred = pipeline["cognate"]["id"], pipeline["evomerge"]["id"]
    report = server.get(f"/v1/runs/{cognate}/report")
    stages = {"foundation", "reasoning", "memory_integration"}
    assert report["first"].keys() == report["last"].keys() == stages
    assert report["timings"]["parts"]["train"] > 0
    evaluations = payloads_of(server.get, cognate, "training.evaluated")
    assert {e["stage"] for e in evaluations} == stages
    assert report["last"] == {e["stage"]: e["tasks"] for e in evaluations}
    assert {p["stage"] for p in server.get(f"/v1/runs/{cognate}/series")} == stages
    assert payloads_of(server.get, cognate, "run.log")[-1]["message"]
    report = server.get(f"/v1/runs/{bred}/report")
    assert report["candidates"] == 16
    assert 1 <= len(report["pareto_front"]) <= 16
    assert "bytes" in report["pareto_front"][0]["objectives"]
    assert report["champion"]["id"] == pipeline["evomerge"]["champion_id"]
    assert report["champion_model_id"] == pipeline["evomerge"]["champion_model_id"]
    assert report["stopped_by"] == "generations"
    assert all(baseline["heldout"] for baseline in report["baselines"] if baseline["name"] != "best_generation_0")
    assert [g["index"] for g in report["generations"]] == [0, 1]
    assert report["generations"] == payloads_of(server.get, bred, "generation.completed")
    candidates = candidates_of(server.get, bred)
    assert len({c["id"] for c in candidates}) == len(candidates) == 16
    assert report["champion"] in candidates
    with store_of(server.data) as connection:
        stored = result_rows.candidates_of(connection, bred)
    assert [c.model_dump(mode="json") for c in stored] == candidates


def test_the_champion_is_proved_and_a_changed_byte_disproves_it(server: Server, pipeline: dict[str, Any]) -> None:
    champion = pipeline["evomerge"]["champion_model_id"]
    proof = server.post(f"/v1/models/{champion}/verify", status=200)
    assert proof["ok"], proof
    assert {check["name"]: check["status"] for check in proof["checks"]} == {
        "file_digest": "passed",
        "parameter_count": "passed",
        "rebuild": "passed",
    }
    assert server.get(f"/v1/models/{champion}")["verified"] is True
    path = Path(server.data / "models" / server.get(f"/v1/models/{champion}")["files"][0]["path"])
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        assert server.post(f"/v1/models/{champion}/verify", {"rebuild": False}, status=200)["ok"] is False
        assert server.get(f"/v1/models/{champion}")["verified"] is False
    finally:
        path.write_bytes(whole)


def test_a_trained_model_is_proved_by_training_it_again(server: Server, pipeline: dict[str, Any]) -> None:
    for model in pipeline["cognate"]["model_ids"]:
        for options, status in (({}, "skipped"), ({"replay": True}, "passed")):
            proof = server.post(f"/v1/models/{model}/verify", options, status=200)
            assert proof["ok"], proof
            assert (proof["checks"][-1]["name"], proof["checks"][-1]["status"]) == ("rebuild", status)


def test_any_candidate_can_be_proved_and_kept(server: Server, pipeline: dict[str, Any]) -> None:
    run = pipeline["evomerge"]["id"]
    candidate = candidates_of(server.get, run)[0]
    before = server.get("/v1/system")["last_seq"]
    proof = server.post(f"/v1/candidates/{candidate['id']}/verify", status=200)
    assert (proof["ok"], proof["subject"], proof["subject_id"]) == (True, "candidate", candidate["id"])
    # a candidate is no model: no event tells of its proof
    events = server.get(f"/v1/events?after={before}&limit=1000")["events"]
    assert [event for event in events if event["type"] == "model.verified"] == []
    kept = server.post(f"/v1/candidates/{candidate['id']}/materialize", status=201)
    assert kept["digest"] == candidate["digest"]
    assert server.post(f"/v1/candidates/{candidate['id']}/materialize", status=201) == kept
    nodes = server.get(f"/v1/models/{kept['id']}/lineage")["nodes"]
    assert {"initialization", "foundation", "specialist", "op", "merged"} <= {node["kind"] for node in nodes}


def test_a_model_answers(server: Server, pipeline: dict[str, Any]) -> None:
    model = pipeline["cognate"]["model_ids"][0]
    answer = server.post(f"/v1/models/{model}/predict", {"prompt": "1+2=", "max_tokens": 4}, status=200)
    assert len(answer["tokens"]) <= 4
    assert all(0 <= token["probability"] <= 1 and 0 < token["depth"] <= 4 for token in answer["tokens"])
    refused = server.post(f"/v1/models/{model}/predict/stream", {"prompt": "1+2=", "chat": True}, status=422)
    assert "chat" in refused["detail"]


def test_downloads(server: Server, pipeline: dict[str, Any]) -> None:
    model = server.get(f"/v1/models/{pipeline['cognate']['model_ids'][0]}")
    path = f"/v1/models/{model['id']}/download"
    whole = server.client.get(path)
    assert len(whole.content) == model["bytes"]
    assert whole.headers["etag"] == f'"{model["files"][0]["file_sha256"]}"'
    part = server.client.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    beyond = server.client.get(path, headers={"Range": f"bytes={model['bytes']}-"})
    assert beyond.status_code == 416
    converted = server.client.get(path, params={"format": "pt"})
    assert converted.content[:2] == b"PK"
    copy = server.client.post("/v1/models/import?name=copy", content=whole.content)
    assert copy.status_code == 201, copy.text
    assert copy.json()["digest"] == model["digest"]
    again = server.client.post("/v1/models/import?name=copy", content=whole.content)
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")


def test_an_ancestor_is_kept_and_a_leaf_can_go(server: Server, pipeline: dict[str, Any]) -> None:
    parent, champion = pipeline["cognate"]["model_ids"][1], pipeline["evomerge"]["champion_model_id"]
    refused = server.client.delete(f"/v1/models/{parent}")
    assert (refused.status_code, refused.json()["code"]) == (409, "model_in_use")
    assert champion in refused.json()["detail"]


def test_a_later_forecast_uses_measured_rates(server: Server, pipeline: dict[str, Any]) -> None:
    forecast = server.post("/v1/pipelines/forecast", PIPELINE, status=200)
    assert forecast["cognate"]["seconds"] == pytest.approx(pipeline["cognate"]["busy_seconds"], rel=0.01)
    assert forecast["evomerge"]["seconds"] == pytest.approx(pipeline["evomerge"]["busy_seconds"], rel=0.5)
    assert server.get("/v1/system")["calibration"]["matmul_gflops"] > 0
