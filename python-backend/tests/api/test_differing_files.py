"""A model whose file is not what was registered: told before its first byte, on every way to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from safetensors.torch import save

from agent_forge.cognate.initialization import draw_all
from agent_forge.contract.architecture import ARCHITECTURES, Preset
from agent_forge.settings import Settings

NANO = ARCHITECTURES[Preset.nano]


def bring(client: TestClient, name: str, seed: int, note: str = "") -> dict[str, Any]:
    answer = client.post(f"/v1/models/import?name={name}", content=save(draw_all(NANO, seed), {"note": note}))
    assert answer.status_code == 201, answer.text
    model: dict[str, Any] = answer.json()
    return model


def flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def told(client: TestClient, model: dict[str, Any]) -> list[dict[str, Any]]:
    events = client.get("/v1/events?limit=1000").json()["events"]
    return [
        event["payload"]
        for event in events
        if event["type"] == "model.verified" and event["payload"]["subject_id"] == model["id"]
    ]


WAYS: list[tuple[str, Callable[[str, str], tuple[str, str, Any]]]] = [
    ("download", lambda one, _: ("GET", f"/v1/models/{one}/download", None)),
    ("a range of it", lambda one, _: ("GET", f"/v1/models/{one}/download", None)),
    ("as .pt", lambda one, _: ("GET", f"/v1/models/{one}/download?format=pt", None)),
    ("predict", lambda one, _: ("POST", f"/v1/models/{one}/predict", {"prompt": "1+1="})),
    ("forecast", lambda one, two: ("POST", "/v1/evomerge/forecast", {"parents": [two, one]})),
    ("breed", lambda one, two: ("POST", "/v1/evomerge/runs", {"parents": [two, one]})),
]


@pytest.mark.parametrize(
    ("damage", "status", "code"),
    [(flip, 409, "file_differs"), (halve, 409, "file_differs"), (Path.unlink, None, "file_missing")],
    ids=["a flipped bit", "cut", "gone"],
)
@pytest.mark.parametrize(("way", "request_of"), WAYS, ids=[row[0] for row in WAYS])
def test_it_is_refused_and_told(
    client: TestClient,
    settings: Settings,
    way: str,
    request_of: Callable[[str, str], tuple[str, str, Any]],
    damage: Callable[[Path], None],
    status: int | None,
    code: str,
) -> None:
    model, other = bring(client, "mine", 1), bring(client, "other", 2)
    path = settings.models / model["files"][0]["path"]
    if "download" in way:
        # proved before, and remembered
        assert client.get(f"/v1/models/{model['id']}/download").status_code == 200
    damage(path)
    method, url, body = request_of(model["id"], other["id"])
    headers = {"Range": "bytes=0-9"} if way == "a range of it" else {}
    for _ in range(2):
        answer = client.request(method, url, json=body, headers=headers)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status or problem["status"], code)
        assert problem["status"] in (409, 410)
        assert "mine" in problem["detail"]
        assert problem["hint"]
        if "parents" in (body or {}):
            assert [(error["field"], error["value"]) for error in problem["errors"]] == [("parents.1", model["id"])]
    page = client.get(f"/v1/models/{model['id']}").json()
    assert page["verified"] is False
    (verification,) = told(client, model)
    assert (verification["ok"], verification["checks"][0]["status"]) == (False, "failed")
    assert told(client, other) == []
    assert client.get("/v1/runs").json()["items"] == []


def test_a_restored_file_is_used_again_and_stays_red_until_it_is_verified(
    client: TestClient, settings: Settings
) -> None:
    model = bring(client, "mine", 1)
    path = settings.models / model["files"][0]["path"]
    flip(path)
    assert client.get(f"/v1/models/{model['id']}/download").status_code == 409
    flip(path)
    assert client.get(f"/v1/models/{model['id']}/download").status_code == 200
    assert client.get(f"/v1/models/{model['id']}").json()["verified"] is False


def test_the_page_of_an_unknown_model_is_there_though_its_file_is_not(client: TestClient, settings: Settings) -> None:
    halved = {name: tensor.half() for name, tensor in draw_all(NANO, 1).items()}
    model = client.post("/v1/models/import?name=halved", content=save(halved)).json()
    assert client.get(f"/v1/models/{model['id']}").json()["modules"] != []
    (settings.models / model["files"][0]["path"]).write_bytes(b"nothing of use")
    page = client.get(f"/v1/models/{model['id']}")
    assert (page.status_code, page.json()["modules"]) == (200, [])


def test_a_range_never_continues_other_bytes(client: TestClient) -> None:
    """The same tensors under the same id, with another header: so the address and the digest are the same."""
    first = bring(client, "mine", 1, "short")
    url = f"/v1/models/{first['id']}/download"
    tag = client.get(url).headers["etag"]
    assert tag == f'"{first["files"][0]["file_sha256"]}"'
    resumed = client.get(url, headers={"Range": "bytes=10-", "If-Range": tag})
    assert resumed.status_code == 206
    assert client.delete(f"/v1/models/{first['id']}").status_code == 204
    second = bring(client, "mine", 1, "a longer one")
    assert (second["id"], second["digest"]) == (first["id"], first["digest"])
    whole = client.get(url, headers={"Range": "bytes=10-", "If-Range": tag})
    assert (whole.status_code, len(whole.content)) == (200, second["bytes"])
    assert whole.headers["etag"] != tag


def test_a_repeat_is_answered_though_a_parent_has_gone(client: TestClient, settings: Settings) -> None:
    models = [bring(client, name, seed) for seed, name in enumerate(("one", "two"))]
    body = {"parents": [model["id"] for model in models]}
    headers = {"Idempotency-Key": "once"}
    run = client.post("/v1/evomerge/runs", json=body, headers=headers)
    assert run.status_code == 202, run.text
    (settings.models / models[0]["files"][0]["path"]).unlink()
    assert client.post("/v1/evomerge/runs", json=body, headers=headers).json()["id"] == run.json()["id"]
