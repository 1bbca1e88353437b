"""One merge at a time, over HTTP with real processes: from a configuration or a recipe to a model that is proved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import causal_lms
import pytest
import torch
from api.test_causal_breeding import brought, written
from forge_server import Server, is_status
from run_reads import run_of
from transformers import AutoModelForCausalLM

YAML = {"content-type": "application/yaml"}
TIES = """
merge_method: ties
base_model: base
models:
  - {model: first, parameters: {weight: 0.5, density: 0.7}}
  - {model: somewhere/second, parameters: {weight: 0.7}}
parameters: {density: 0.6}
dtype: float32
out_dtype: bfloat16
"""
INJECTED = Path(__file__).parents[1] / "faults" / "injected"


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("points")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, points: Path) -> Iterator[Server]:
    injection = {"AGENT_TEST_INJECTION": json.dumps({"points": str(points)}), "PYTHONPATH": str(INJECTED)}
    started = Server(tmp_path_factory.mktemp("merges") / "data", injection)
    yield started
    assert started.stop() == 0


@pytest.fixture(scope="module")
def models(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    root = tmp_path_factory.mktemp("folders")
    wanted = {"base": 0, "first": 1, "second": 2}
    return {name: brought(server, name, written(root / name, "llama", seed)) for name, seed in wanted.items()}


def merged(server: Server, text: str, **query: Any) -> dict[str, Any]:
    """The model that a configuration makes."""
    answer = server.client.post("/v1/merges", content=text, headers=YAML, params=query)
    assert answer.status_code == 202, answer.text
    return made_by(server, answer.json()["id"])


def made_by(server: Server, run_id: str) -> dict[str, Any]:
    run = server.wait(run_id, is_status("succeeded"))
    model: dict[str, Any] = server.get(f"/v1/models/{run['model_ids'][0]}")
    return model


def opened(server: Server, model: dict[str, Any]) -> Any:
    folder = server.data / "models" / model["folder"]
    return AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()


def proved(server: Server, model: dict[str, Any]) -> set[str]:
    checks = server.post(f"/v1/models/{model['id']}/verify", status=200)["checks"]
    return {check["status"] for check in checks}


def test_a_configuration_becomes_a_folder(server: Server, models: dict[str, Any]) -> None:
    foreseen = server.client.post("/v1/merges/forecast", content=TIES, headers=YAML).json()
    assert (foreseen["parameters"], foreseen["files"]) == (models["base"]["parameters"], 1)
    assert foreseen["resources"]["disk_needed"] >= foreseen["bytes"]
    asked = {"content": TIES, "params": {"name": "ours"}, "headers": {**YAML, "Idempotency-Key": "once"}}
    run, again = (server.client.post("/v1/merges", **asked).json() for _ in range(2))
    assert run["id"] == again["id"]
    assert (run["kind"], run["progress"]["unit"]) == ("merge", "bytes")
    model = made_by(server, run["id"])
    assert model["name"] == "ours"
    assert model["architecture"] == foreseen["plan"]["architecture"]
    assert model["bytes"] == foreseen["bytes"]
    assert model["origin"]["recipe"] == foreseen["plan"]["recipe"]
    assert sorted(model["parents"]) == sorted(one["id"] for one in models.values())
    assert proved(server, model) == {"passed"}
    read = opened(server, model)
    assert read.dtype == torch.bfloat16
    assert torch.isfinite(read(input_ids=torch.tensor([[1, 5, 9]])).logits).all()
    report = server.get(f"/v1/runs/{run['id']}/report")
    assert (report["model_id"], report["digest"], report["files"]) == (model["id"], model["digest"], 1)
    ended = server.get(f"/v1/runs/{run['id']}/report")["timings"]
    assert ended["parts"].keys() == {"merge", "io"}


def test_its_configuration_makes_it_again(server: Server, models: dict[str, Any]) -> None:
    model = merged(server, TIES)
    words = server.client.get(f"/v1/models/{model['id']}/recipe.yaml")
    assert words.headers["content-type"].startswith("application/yaml")
    card = (server.data / "models" / model["folder"] / "README.md").read_text()
    assert words.text in card
    assert model["digest"] in card
    assert merged(server, words.text)["digest"] == model["digest"]
    answer = server.client.get(f"/v1/models/{models['base']['id']}/recipe.yaml")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_expressible")


def test_several_files_are_the_same_model(server: Server, models: dict[str, Any]) -> None:
    inputs = [{"kind": "model", "model_id": models[name]["id"]} for name in ("first", "second")]
    recipe = {"kind": "merge", "op": "linear", "inputs": inputs, "parameters": {"weights": [0.25, 0.75]}}
    digests = set()
    for most in (None, 20_000):
        run = server.post("/v1/merges", {"recipe": recipe, "max_shard_size": most})
        model = made_by(server, run["id"])
        digests.add(model["digest"])
        weights = [file for file in model["files"] if file["format"] == "safetensors"]
        assert len(weights) == 1 if most is None else all(file["bytes"] < 45_000 for file in weights)
        opened(server, model)
    assert len(digests) == 1


def test_a_killed_worker_goes_on_where_it_was(server: Server, models: dict[str, Any], points: Path) -> None:
    undisturbed = merged(server, TIES, max_shard_size=20_000)
    # after what begins the run, and the heads of all files: when the third file is made durable
    fault = {"case": 1, "role": "worker", "at": 12, "kill": True, "errno": 0, "seconds": 0}
    (points / "armed.new").write_text(json.dumps(fault))
    (points / "armed.new").rename(points / "armed.json")
    run = server.client.post("/v1/merges", content=TIES, headers=YAML, params={"max_shard_size": 20_000}).json()
    model = made_by(server, run["id"])
    assert (points / "fired.json").exists()
    assert server.get(f"/v1/runs/{run['id']}/report")["resumed_tensors"] > 0
    assert run_of(server.get, run["id"])["attempt"] == 2
    assert model["digest"] == undisturbed["digest"]


def test_layers_are_stacked(server: Server, models: dict[str, Any]) -> None:
    text = """
slices:
  - sources: [{model: first, layer_range: [0, 3]}]
  - sources: [{model: second, layer_range: [1, 3]}]
merge_method: passthrough
dtype: bfloat16
chat_template: auto
"""
    model = merged(server, text)
    assert (model["architecture"]["layers"], model["architecture"]["config"]["num_hidden_layers"]) == (5, 5)
    read = opened(server, model)
    assert len(read.model.layers) == 5
    assert torch.isfinite(read(input_ids=torch.tensor([[1, 5, 9]])).logits).all()
    folder = server.data / "models" / model["folder"]
    assert (folder / "chat_template.jinja").read_text() == causal_lms.TEMPLATE
    assert "chat_template" not in json.loads((folder / "tokenizer_config.json").read_text())


def test_titans_are_merged(server: Server) -> None:
    parents = {
        "preset": "nano",
        "specializations": ["reasoning", "memory_integration"],
        "seeds": [1, 2],
        "initialization": "independent",
        "foundation_steps": 0,
        "train_steps": 0,
    }
    made = server.wait(server.post("/v1/cognate/runs", parents)["id"], is_status("succeeded"))
    first, second = (server.get(f"/v1/models/{model_id}") for model_id in made["model_ids"])
    text = (
        f"merge_method: slerp\nbase_model: {first['id']}\nmodels: [{{model: {second['id']}}}]\nparameters: {{t: 0.5}}"
    )
    foreseen = server.client.post("/v1/merges/forecast", content=text, headers=YAML).json()
    model = merged(server, text)
    assert (model["architecture"], model["folder"]) == (first["architecture"], None)
    assert model["bytes"] == foreseen["bytes"]
    assert proved(server, model) == {"passed"}


def test_a_paused_merge_goes_on_and_its_models_stay(server: Server, models: dict[str, Any]) -> None:
    run = server.client.post("/v1/merges", content=TIES, headers=YAML).json()
    paused = server.client.post(f"/v1/runs/{run['id']}/pause")
    if paused.status_code == 202:
        server.wait(run["id"], is_status("paused", "succeeded"))
        refused = server.client.delete(f"/v1/models/{models['first']['id']}")
        assert (refused.status_code, refused.json()["code"]) == (409, "model_in_use")
        server.client.post(f"/v1/runs/{run['id']}/resume")
    made_by(server, run["id"])


REFUSED: dict[str, tuple[str, str, str]] = {
    "a key that is not known": ("merge_method: ties\nparametres: {}", "parametres", "line 2"),
    "a model that is not here": (
        "merge_method: linear\nmodels:\n  - model: owner/none\n  - model: base\nparameters: {weight: 1}",
        "model",
        "line 3: 'owner/none': there is no registered model of this id or name, nor one imported as none",
    ),
    "a template by a name": (
        "merge_method: linear\nmodels: [{model: base}, {model: first}]\nparameters: {weight: 1}\nchat_template: chatml",
        "chat_template",
        "line 4: 'chatml'",
    ),
    "no YAML": ("merge_method: [", "configuration", "line 2: no YAML"),
    "no UTF-8": ("\xff\xfe", "configuration", ""),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_named_with_its_line(server: Server, models: dict[str, Any], what: str) -> None:
    text, field, message = REFUSED[what]
    for path in ("/v1/merges", "/v1/merges/forecast"):
        answer = server.client.post(path, content=text.encode("latin-1"), headers=YAML)
        problem = answer.json()
        assert (answer.status_code, problem["errors"][0]["field"]) == (422, field), problem
        assert message in problem["errors"][0]["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"configuration": TIES, "recipe": {"kind": "model", "model_id": "x"}}, "body"),
        ({"recipe": {"kind": "model", "model_id": "x"}}, "recipe.model_id"),
        ({"configuration": TIES, "tokenizer_source": "nobody"}, "tokenizer_source"),
        ({"configuration": TIES, "max_shard_size": 1}, "max_shard_size"),
        ({"configuration": TIES, "shards": 1}, "shards"),
    ],
)
def test_a_request_is_refused_by_field(server: Server, models: dict[str, Any], body: Any, field: str) -> None:
    problem = server.post("/v1/merges", body, status=422)
    assert problem["errors"][0]["field"] == field, problem
