"""The rules of the surface: tokens, problems, validation, idempotency; in process, without workers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from forge_server import PATIENCE_SECONDS
from registry.test_header import MALFORMED

from agent_forge.api.app import create_app, create_backend
from agent_forge.api.problem import KINDS
from agent_forge.contract.problem import Problem
from agent_forge.evomerge.errors import MergeRefused
from agent_forge.evomerge.ops.registry import merge_ops
from agent_forge.registry.errors import RegistryError
from agent_forge.settings import Settings

OPERATIONS = [
    (method.upper(), path)
    for path, operations in create_app().openapi()["paths"].items()
    if path.startswith("/v1/")
    for method in operations
]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic YTpi", "Bearer"])
def test_every_route_needs_the_token(client: TestClient, method: str, path: str, header: str) -> None:
    concrete = re.sub(r"\{command\}", "pause", re.sub(r"\{\w+_id\}", "x", path))
    answer = client.request(method, concrete, headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert Problem.model_validate(answer.json()).code == "unauthorized"


def test_liveness_and_readiness_need_none(client: TestClient) -> None:
    assert client.get("/healthz", headers={"Authorization": ""}).json() == {"status": "ok"}
    assert client.get("/readyz", headers={"Authorization": ""}).json()["status"] == "ready"


def test_readiness_tells_for_how_long_a_run_has_waited(client: TestClient) -> None:
    assert client.get("/readyz").json()["oldest_queued_seconds"] is None
    client.post("/v1/pipelines", json={})
    ready = client.get("/readyz").json()
    assert 0 <= ready["oldest_queued_seconds"] < 60
    assert (ready["workers_alive"], ready["workers_wanted"], ready["oldest_lease_seconds"]) == (0, 0, None)
    assert client.get("/v1/system").json()["readiness"].keys() == ready.keys()


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_what_may_be_done_with_a_part_of_a_run(client: TestClient, method: str) -> None:
    for part, allowed in (("series", "GET"), ("report", "GET"), ("pause", "POST")):
        answer = client.request(method, f"/v1/runs/x/{part}")
        assert (answer.status_code, answer.headers.get("allow")) == (
            (404, None) if method == allowed else (405, allowed)
        )


COGNATE: dict[str, Any] = {"train_steps": 3}
PROBLEMS: list[tuple[str, str, str, Any, int, str, str | None, str | None]] = [
    ("unknown route", "GET", "/v1/nothing", None, 404, "not_found", None, None),
    ("slash too many", "GET", "/v1/runs/", None, 404, "not_found", None, None),
    ("wrong method", "PUT", "/v1/runs", None, 405, "method_not_allowed", None, None),
    ("unknown run", "POST", "/v1/runs/x/pause", None, 404, "not_found", None, None),
    ("unknown run's report", "GET", "/v1/runs/x/report", None, 404, "not_found", None, None),
    ("unknown run's series", "GET", "/v1/runs/x/series", None, 404, "not_found", None, None),
    ("unknown model", "GET", "/v1/models/x", None, 404, "not_found", None, None),
    ("unknown candidate", "POST", "/v1/candidates/x/verify", None, 404, "not_found", None, None),
    ("candidate to keep", "POST", "/v1/candidates/x/materialize", None, 404, "not_found", None, None),
    ("unknown command", "POST", "/v1/runs/x/explode", None, 404, "not_found", None, None),
    ("what is no command", "POST", "/v1/runs/x/report", None, 405, "method_not_allowed", None, None),
    ("limit too high", "GET", "/v1/runs?limit=9999", None, 422, "invalid_request", "limit", "integer, 1 to 500"),
    ("bad cursor", "GET", "/v1/runs?cursor=%00", None, 422, "invalid_request", "cursor", None),
    ("foreign cursor", "GET", "/v1/models?cursor=WzEsMl0", None, 422, "invalid_request", "cursor", None),
    ("unknown field", "POST", "/v1/cognate/runs", {"steps": 3}, 422, "invalid_request", "steps", "one of preset, "),
    ("wrong type", "POST", "/v1/cognate/runs", {"dropout": "x"}, 422, "invalid_request", "dropout", "at least 0 and"),
    ("out of range", "POST", "/v1/cognate/runs", {"own_share": 2}, 422, "invalid_request", "own_share", "0 to 1"),
    ("a choice", "POST", "/v1/cognate/runs", {"preset": "x"}, 422, "invalid_request", "preset", "nano, tinytitan"),
    ("seeds", "POST", "/v1/cognate/runs", {"seeds": [1]}, 422, "invalid_request", "seeds", "exactly 3"),
    (
        "dataset", "POST", "/v1/cognate/runs", {"datasets": [{"name": "x"}]}, 422, "invalid_request",
        "datasets.0.name", "arithmetic",
    ),
    (
        "path outside", "POST", "/v1/cognate/runs", {"datasets": [{"name": "file:/etc/passwd"}]}, 422,
        "invalid_request", "datasets.0.name", ".jsonl",
    ),
    (
        "path for a hub id", "POST", "/v1/cognate/runs", {"datasets": [{"name": "hf:/etc"}]}, 422,
        "invalid_request", "datasets.0.name", "hf:",
    ),
    (
        "no task of the gym", "POST", "/v1/cognate/runs", {"datasets": [{"name": "gym:basic"}]}, 422,
        "invalid_request", "datasets.0.name", "basic_arithmetic",
    ),
    (
        "path too long", "POST", "/v1/cognate/runs", {"tokenizer": f"file:{'x' * 300}.json"}, 422,
        "invalid_request", "tokenizer", ".json",
    ),
    (
        "half a surrogate pair", "POST", "/v1/models/x/predict", {"prompt": "\ud800"}, 422,
        "invalid_request", "prompt", "1 to 4096",
    ),
    (
        "half a surrogate pair as an id", "POST", "/v1/evomerge/runs", {"parents": ["\ud800", "b"]}, 422,
        "invalid_request", "parents.0", "at most 64",
    ),
    (
        "half a surrogate pair, unknown field", "POST", "/v1/models/x/predict", {"prompt": "x", "y": "\ud800"}, 422,
        "invalid_request", "y", "one of prompt, ",
    ),
    ("no cuda", "POST", "/v1/cognate/runs", {"device": "cuda"}, 422, "invalid_request", "device", "cpu"),
    ("one parent", "POST", "/v1/evomerge/runs", {"parents": ["a"]}, 422, "invalid_request", "parents", "2 to 16"),
    ("unknown parent", "POST", "/v1/evomerge/runs", {"parents": ["a", "b"]}, 404, "not_found", "parents.0", None),
    (
        "unknown op", "POST", "/v1/pipelines", {"evomerge": {"ops": ["blend"]}}, 422, "invalid_request",
        "evomerge.ops.0", "slerp",
    ),
    (
        "population of the tournament", "POST", "/v1/pipelines", {"evomerge": {"population": 9}}, 422,
        "invalid_request", "evomerge.population", "8",
    ),
    (
        "population of differential evolution", "POST", "/v1/pipelines",
        {"evomerge": {"strategy": "de", "population": 3}}, 422, "invalid_request", "evomerge.population", "4 to 64",
    ),
    (
        "no op that weighs", "POST", "/v1/pipelines", {"evomerge": {"strategy": "ga", "ops": ["nuslerp"]}}, 422,
        "invalid_request", "evomerge.ops", "breadcrumbs",
    ),
    (
        "nested", "POST", "/v1/pipelines", {"cognate": {"seeds": [1]}}, 422, "invalid_request", "cognate.seeds", "3",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "field", "allowed"),
    [case[1:] for case in PROBLEMS],
    ids=[case[0] for case in PROBLEMS],
)
def test_problems(
    client: TestClient,
    method: str,
    path: str,
    body: Any,
    status: int,
    code: str,
    field: str | None,
    allowed: str | None,
) -> None:
    # Escaped, as the client's own JSON is not: half a surrogate pair can be sent.
    content = None if body is None else json.dumps(body)
    answer = client.request(method, path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate(answer.json())
    assert (problem.code, problem.status, problem.instance) == (code, status, path.split("?")[0])
    if field is not None:
        assert [error.field for error in problem.errors] == [field]
        assert allowed is None or allowed in (problem.errors[0].allowed or ""), problem.errors[0]
    assert client.get("/v1/runs").json()["items"] == []
    assert client.get("/v1/events").json()["events"] == []


WRONG_FILES: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("a.jsonl", '{"prompt": "x"}', {"datasets": [{"name": "file:a.jsonl"}]}, "datasets.0.name", "line 1"),
    ("t.json", '{"version": "1.0"}', {"tokenizer": "file:t.json"}, "tokenizer", "is not a tokenizer.json"),
]


@pytest.mark.parametrize(("file", "content", "config", "field", "said"), WRONG_FILES, ids=["data set", "tokenizer"])
def test_files_are_opened_before_anything_is_promised(
    client: TestClient, tmp_path: Path, file: str, content: str, config: dict[str, Any], field: str, said: str
) -> None:
    (tmp_path / file).write_text(content)
    pipeline = {"cognate": config}
    for path, body, prefix in (
        ("/v1/cognate/forecast", config, ""),
        ("/v1/cognate/runs", config, ""),
        ("/v1/pipelines/forecast", pipeline, "cognate."),
        ("/v1/pipelines", pipeline, "cognate."),
    ):
        answer = client.post(path, json=body)
        assert answer.status_code == 422, answer.text
        assert [error["field"] for error in answer.json()["errors"]] == [prefix + field]
        assert said in answer.json()["detail"]
        assert answer.json()["errors"][0]["value"].endswith(file)
    assert client.get("/v1/events").json()["events"] == []


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 422, "invalid_json"),
        (b"\xff\xfe", 422, "invalid_json"),
        (b"[" * 100_000, 422, "invalid_json"),
        (b'{"a":' * 100_000, 422, "invalid_json"),
        (b'{"seeds": [' + b"9" * 5000 + b"]}", 422, "invalid_json"),
        (b'{"\\ud800": 1}', 422, "invalid_request"),
        (b" " * 2_000_000, 413, "too_large"),
    ],
    ids=lambda part: str(part)[:20],
)
def test_bodies(client: TestClient, content: bytes, status: int, code: str) -> None:
    answer = client.post("/v1/cognate/runs", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(("what", "reserve"), [("disk", "disk_reserve_bytes"), ("memory", "memory_reserve_bytes")])
def test_a_plan_that_does_not_fit_is_refused_with_the_numbers(settings: Settings, what: str, reserve: str) -> None:
    app, _ = create_backend(settings.model_copy(update={reserve: 2**60}), pytest.fail)
    with TestClient(app, headers={"Authorization": "Bearer a-token-for-tests-only"}) as client:
        answer = client.post("/v1/cognate/runs", json=COGNATE)
        assert (answer.status_code, answer.json()["code"]) == (422, f"insufficient_{what}")
        assert answer.json()["errors"][0]["value"] > 3 * 3_510_308
        assert client.get("/v1/runs").json()["items"] == []


def test_a_key_makes_a_repeat_the_same_run(client: TestClient) -> None:
    key = {"Idempotency-Key": "k1"}
    first = client.post("/v1/cognate/runs", json=COGNATE, headers=key)
    assert first.status_code == 202
    assert client.get("/v1/runs").json()["items"] == [first.json()]
    assert client.post("/v1/cognate/runs", json=COGNATE, headers=key).json() == first.json()
    for path, body in (("/v1/cognate/runs", {"train_steps": 4}), ("/v1/pipelines", {})):
        other = client.post(path, json=body, headers=key)
        assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert len(client.get("/v1/runs").json()["items"]) == 1


def test_pages_of_runs(client: TestClient) -> None:
    made = [client.post("/v1/cognate/runs", json=COGNATE).json()["id"] for _ in range(5)]
    found, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/v1/runs?limit=2{cursor}").json()
        found += [run["id"] for run in page["items"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert found == sorted(made, reverse=True)
    assert client.get("/v1/runs?status=running").json()["items"] == []


def test_a_run_keeps_the_trace_of_its_caller(client: TestClient) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    assert client.post("/v1/cognate/runs", json=COGNATE, headers=headers).json()["trace_id"] == trace
    assert client.get("/v1/runs/x/report", headers=headers).json()["trace_id"] == trace


def test_what_is_no_model_is_refused_and_nothing_is_left(client: TestClient, settings: Settings) -> None:
    for what, _, content in MALFORMED:
        answer = client.post("/v1/models/import?name=x", content=content)
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed_file"), what
        assert answer.json()["detail"], what
    assert client.get("/v1/models").json()["items"] == []
    assert [path for path in settings.models.rglob("*") if path.is_file()] == []


def test_what_a_command_cannot_do_now_is_said(client: TestClient) -> None:
    run = client.post("/v1/cognate/runs", json=COGNATE).json()["id"]
    answer = client.post(f"/v1/runs/{run}/resume")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "cancel, pause" in answer.json()["detail"]
    assert client.post(f"/v1/runs/{run}/cancel").json()["status"] == "cancelled"


def test_merge_methods_are_the_same_everywhere(client: TestClient) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "agent_forge", "ops", "--json"], capture_output=True, text=True, check=True
    ).stdout
    served = client.get("/v1/merge-methods").json()
    assert served == json.loads(printed)
    assert [method["name"] for method in served] == sorted(merge_ops())
    assert all(method["edges"] and method["source"] for method in served)


def test_everything_that_is_refused_on_purpose_has_a_kind() -> None:
    def kinds(error: type[Any]) -> set[str]:
        return {error.code}.union(*map(kinds, error.__subclasses__()))

    # The first is raised only as one of its kinds; the second becomes a check of the verification.
    assert kinds(RegistryError) | kinds(MergeRefused) <= KINDS.keys() | {"registry_error", "not_rebuildable"}


def test_every_kind_of_problem_has_a_status_that_routes_document() -> None:
    for route in create_app().routes:
        if isinstance(route, APIRoute) and route.path.startswith("/v1"):
            assert {401, 422} <= {int(status) for status in route.responses}
    assert {kind.status for kind in KINDS.values()} <= {401, 404, 405, 409, 410, 413, 416, 421, 422, 500, 503, 507}


def test_the_served_application_never_loads_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from agent_forge.api.app import create_backend;"
        "from agent_forge.settings import Settings;"
        f"create_backend(Settings(data=Path({str(tmp_path / 'data')!r}), token='0123456789abcdef'), print);"
        "loaded = [name for name in sys.modules if name.split('.')[0] == 'torch']; sys.exit(1 if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "AGENT_FORGE_TOKEN"),
        ({"AGENT_FORGE_TOKEN": "short"}, "AGENT_FORGE_TOKEN"),
        ({"AGENT_FORGE_TOKEN": "0123456789abcdef", "AGENT_FORGE_PORT": "x"}, "AGENT_FORGE_PORT"),
        ({"AGENT_FORGE_TOKEN": "0123456789abcdef", "AGENT_FORGE_DATA": "/proc/nothing"}, "/proc/nothing"),
    ],
)
def test_wrong_settings_are_an_error_at_boot(environment: dict[str, str], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "agent_forge", "serve"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode != 0
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_api_loads_neither_the_engine_nor_its_optimizers() -> None:
    code = "import sys, agent_forge.api.serve; print(*{'torch', 'pymoo', 'matplotlib'} & sys.modules.keys())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []


LARGEST = 1024**2 - 4096


def fields(count: int, value: str = "1") -> str:
    return "{" + ",".join(f'"f{index}":{value}' for index in range(count)) + "}"


def items(value: str) -> str:
    return "[" + ",".join([value] * (LARGEST // (len(value) + 1))) + "]"


HOSTILE = {
    "numbers": items("-1"),
    "lists": items("[]"),
    "unknown fields": fields(87_000),
    "some unknown fields": fields(2000),
    "many in eight objects": '{"datasets":[' + ",".join([fields(10_900)] * 8) + "]}",
    "seeds": '{"seeds":' + items('"x"') + "}",
    "parents": '{"parents":' + items("1") + "}",
    "a long text": json.dumps({"session_id": "x" * LARGEST, "prompt": "x" * LARGEST})[:LARGEST],
    "a long name": '{"' + "x" * LARGEST + '":1}',
    "deep lists": "[" * (LARGEST // 2) + "]" * (LARGEST // 2),
    "deep objects": '{"a":' * (LARGEST // 6) + "1" + "}" * (LARGEST // 6),
    "digits": "9" * LARGEST,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "path", ["cognate/forecast", "evomerge/forecast", "pipelines", "models/x/predict", "models/x/predict/stream"]
)
def test_a_body_of_faults_is_answered_in_time_and_in_few_words(client: TestClient, path: str, body: str) -> None:
    began = time.process_time()
    answer = client.post(f"/v1/{path}", content=body, headers={"Content-Type": "application/json"})
    # Of the processor, which others do not take away: a quiet machine needs a tenth.
    assert time.process_time() - began < 3
    assert answer.status_code == 422
    assert len(answer.content) < 65_536
    told = Problem.model_validate(answer.json())
    for fault in told.errors:
        assert max(len(fault.field), len(str(fault.value))) <= 201


def test_faults_beyond_those_named_are_counted(client: TestClient) -> None:
    def told(count: int) -> tuple[int, int | None]:
        answer = client.post("/v1/cognate/runs", content=fields(count), headers={"Content-Type": "application/json"})
        problem = Problem.model_validate(answer.json())
        return len(problem.errors), problem.errors_omitted

    assert [told(count) for count in (1, 50, 51, 2000, 20_000)] == [(1, 0), (50, 0), (50, 1), (50, 1950), (1, None)]
