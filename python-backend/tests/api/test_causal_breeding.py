"""Causal LMs that users bring: bred, proved, told and refused, over HTTP with real processes."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import causal_lms
import pytest
import torch
from forge_server import PATIENCE_SECONDS, Server, is_status
from run_reads import candidates_of
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from agent_forge.registry.tensors import digest_tensors

SMALL = {
    "datasets": [{"name": "file:sums.jsonl"}, {"name": "file:choices.jsonl"}],
    "generations": 2,
    "eval_problems": 8,
    "heldout_problems": 8,
    "final_problems": 8,
    "finalists": 2,
    "barrier_points": 1,
    "causal_lm": {"max_new_tokens": 4, "batch_size": 4},
}


def brought(server: Server, name: str, folder: Path) -> dict[str, Any]:
    """Imported file by file."""
    files = [{"name": path.name, "bytes": path.stat().st_size} for path in sorted(folder.iterdir())]
    going = server.post("/v1/imports", {"name": name, "source": {"kind": "upload", "files": files}}, status=201)
    for path in folder.iterdir():
        answer = server.client.put(f"/v1/imports/{going['id']}/files/{path.name}?offset=0", content=path.read_bytes())
        assert answer.status_code == 200, answer.text
    server.post(f"/v1/imports/{going['id']}/finish", status=202)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (done := server.get(f"/v1/imports/{going['id']}"))["status"] not in ("succeeded", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert done["fault"] is None, done
    model: dict[str, Any] = server.get(f"/v1/models/{done['model_id']}")
    return model


def written(folder: Path, family: str, seed: int, **changes: Any) -> Path:
    """A fine-tune of the family's model in bf16: its first weights with a little of other ones."""
    causal_lms.tokenizer_folder(folder)
    base, other = (causal_lms.tensors(causal_lms.network(family, one)) for one in (0, seed))
    tuned = {name: tensor + 0.05 * (other[name] - tensor) if seed else tensor for name, tensor in base.items()}
    tuned = {name: tensor.to(torch.bfloat16) for name, tensor in tuned.items()}
    save_file(tuned, folder / "model.safetensors", {"format": "pt"})
    config = causal_lms.config(family) | {"max_position_embeddings": 1024, "dtype": "bfloat16"} | changes
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("causal")
    data = root / "problems"
    data.mkdir()
    sums = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a in range(12) for b in range(12)]
    choices = [
        {"prompt": f"{a}+{b} is", "choices": [f" {a + b}", f" {a + b + 1}"], "answer": 0}
        for a in range(12)
        for b in range(12)
    ]
    (data / "sums.jsonl").write_text("\n".join(map(json.dumps, sums)))
    (data / "choices.jsonl").write_text("\n".join(map(json.dumps, choices)))
    started = Server(root / "data", {"AGENT_FORGE_DATASET_ROOTS": json.dumps([str(data)])})
    yield started
    assert started.stop() == 0


@pytest.fixture(scope="module")
def models(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    root = tmp_path_factory.mktemp("folders")
    wanted = {"base": 0, "first": 1, "second": 2}
    return {name: brought(server, name, written(root / name, "llama", seed)) for name, seed in wanted.items()}


@pytest.fixture(scope="module")
def bred(server: Server, models: dict[str, dict[str, Any]]) -> dict[str, Any]:
    parents = [models["first"]["id"], models["second"]["id"]]
    run = server.post("/v1/evomerge/runs", SMALL | {"parents": parents, "base": models["base"]["id"]})
    return server.wait(run["id"], is_status("succeeded"))


def test_what_is_bred_is_a_folder_that_transformers_opens(server: Server, models: Any, bred: dict[str, Any]) -> None:
    champion = server.get(f"/v1/models/{bred['champion_model_id']}")
    assert champion["architecture"] == models["first"]["architecture"]
    assert champion["tokenizer"] == models["first"]["tokenizer"]
    folder = server.data / "models" / champion["folder"]
    opened = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    own = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in own.values()} == {opened.dtype} == {torch.bfloat16}
    assert digest_tensors(own) == champion["digest"]
    assert torch.isfinite(opened(input_ids=torch.tensor([[1, 5, 9]])).logits).all()
    proof = server.post(f"/v1/models/{champion['id']}/verify", status=200)
    assert {check["name"]: check["status"] for check in proof["checks"]} == {
        "file_digest": "passed",
        "parameter_count": "passed",
        "rebuild": "passed",
    }


def test_it_tells_what_it_is_made_of(server: Server, models: Any, bred: dict[str, Any]) -> None:
    champion = server.get(f"/v1/models/{bred['champion_model_id']}")
    folder = server.data / "models" / champion["folder"]
    card = (folder / "README.md").read_text()
    for expected in (champion["digest"], models["first"]["id"], models["second"]["digest"], "file:sums.jsonl"):
        assert expected in card
    assert json.loads((folder / "recipe.json").read_text()) == champion["origin"]["recipe"]


def test_its_folder_comes_back_as_one_zip_or_file_by_file(server: Server, models: Any, bred: dict[str, Any]) -> None:
    champion = server.get(f"/v1/models/{bred['champion_model_id']}")
    folder = server.data / "models" / champion["folder"]
    answer = server.client.get(f"/v1/models/{champion['id']}/download?format=zip")
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    named = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {entry: archive.read(entry) for entry in archive.namelist()} == {
        f"{champion['name']}/{name}": content for name, content in named.items()
    }
    for name, content in named.items():
        one = server.client.get(f"/v1/models/{champion['id']}/files/{name}", headers={"Range": "bytes=1-9"})
        assert (one.status_code, one.content) == (206, content[1:10])
    for name in ("none.json", "..%2Fsecret", "..%2F..%2Fforge.db"):
        assert server.client.get(f"/v1/models/{champion['id']}/files/{name}").status_code == 404
    again = brought(server, "again", folder)
    assert (again["digest"], again["parameters"]) == (champion["digest"], champion["parameters"])


def test_a_champion_answers_token_by_token(server: Server, bred: dict[str, Any]) -> None:
    path = f"/v1/models/{bred['champion_model_id']}/predict"
    asked = {"prompt": "two plus two is", "max_tokens": 6, "chat": True}
    whole = server.post(path, asked, status=200)
    with server.client.stream("POST", f"{path}/stream", json=asked) as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        begun, *tokens, ended = map(json.loads, answer.iter_lines())
    assert begun["read"] == "<s>user: two plus two is</s><s>assistant:"
    assert (tokens, ended["answer"]) == (whole["tokens"], whole["answer"])
    assert {len(token["likeliest"]) for token in tokens} == {5}


def test_who_leaves_ends_the_computation(server: Server, models: Any) -> None:
    path = f"/v1/models/{models['first']['id']}/predict/stream"
    with server.client.stream("POST", path, json={"prompt": "a", "max_tokens": 512, "temperature": 2}) as answer:
        assert json.loads(next(answer.iter_lines()))["type"] == "begun"
    server.post(path.removesuffix("/stream"), {"prompt": "a", "max_tokens": 1}, status=200)
    logged = [json.loads(line) for line in (server.data.parent / "server.log").read_text().splitlines()]
    assert [one["message"] for one in logged if "nobody waits" in one["message"]] != []


@pytest.mark.parametrize(
    ("name", "body", "status", "said"),
    [
        ("base", {"prompt": "zx" * 600}, 422, "fewer than 1024"),
        ("base", {"prompt": "x", "temperature": 3}, 422, "temperature"),
        ("bare", {"prompt": "x"}, 409, "has no tokenizer"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_before_any_line(
    server: Server, models: Any, tmp_path: Path, name: str, body: dict[str, Any], status: int, said: str
) -> None:
    if name == "bare":
        folder = written(tmp_path / "bare", "llama", 4)
        for document in folder.glob("tokenizer*"):
            document.unlink()
        models = models | {name: brought(server, name, folder)}
    refused = server.post(f"/v1/models/{models[name]['id']}/predict/stream", body, status=status)
    assert said in json.dumps(refused)


def test_candidates_are_merged_about_the_base_and_rebuilt_alike(
    server: Server, models: Any, bred: dict[str, Any]
) -> None:
    found = candidates_of(server.get, bred["id"])
    assert len(found) == 16
    assert any(models["base"]["id"] in json.dumps(one["recipe"]) for one in found)
    assert {one["fitness"]["compute"] for one in found} == {1.0}
    for one in [next(c for c in found if "dfs" in json.dumps(c["recipe"])), found[-1]]:
        proof = server.post(f"/v1/candidates/{one['id']}/verify", status=200)
        assert proof["ok"], proof
    report = server.get(f"/v1/runs/{bred['id']}/report")
    assert {"parent:first", "parent:second"} <= {one["name"] for one in report["baselines"]}
    kept = server.post(f"/v1/candidates/{found[3]['id']}/materialize", status=201)
    assert kept["digest"] == found[3]["digest"]
    assert kept["folder"] is not None


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"datasets": None}, "datasets", "have no mixture of their own"),
        ({"align": "always"}, "align", "is for TinyTitans"),
        ({"base": "mdl_none"}, "base", "is not a registered model"),
        ({"causal_lm": {"batch_size": 0}}, "causal_lm.batch_size", "greater than or equal to 1"),
        ({"datasets": [{"name": "file:none.jsonl"}]}, "datasets.0.name", "is not there"),
    ],
)
def test_what_cannot_be_measured_is_refused_by_field(
    server: Server, models: Any, changes: dict[str, Any], field: str, said: str
) -> None:
    parents = [models["first"]["id"], models["second"]["id"]]
    refused = server.post("/v1/evomerge/runs", SMALL | {"parents": parents} | changes, status=422)
    assert refused["errors"][0]["field"].endswith(field)
    assert said in json.dumps(refused)


def test_a_configuration_of_mergekit_evolve_is_a_run_here(server: Server, models: Any) -> None:
    """Its models by name, ours by id; the line where it is refused."""
    text = "genome:\n  models: [first, second]\n  merge_method: dare_ties\n  base_model: base\n  layer_granularity: 1\n"
    text += "tasks:\n  - name: file:sums.jsonl\n"

    def read(body: str, status: int) -> Any:
        answer = server.client.post(
            "/v1/evomerge/configuration", content=body, headers={"Content-Type": "application/yaml"}
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    config = read(text, 200)
    assert config["parents"] == [models["first"]["id"], models["second"]["id"]]
    assert (config["base"], config["strategy"], config["ops"]) == (models["base"]["id"], "cma_es", ["dare_ties"])
    assert server.post("/v1/evomerge/forecast", config | {"generations": 2}, status=200)["candidates"] == 16
    refused = read(text.replace("layer_granularity: 1", "layer_granularity: 2"), 422)
    assert refused["code"] == "configuration_refused"
    assert "line 5: `genome.layer_granularity`" in refused["detail"]
    refused = read(text.replace("file:sums.jsonl", "mmlu"), 422)
    assert refused["detail"].startswith("line 7: `tasks.0.name`: lm-eval:mmlu")


def test_models_that_read_otherwise_are_no_parents(server: Server, models: Any, tmp_path: Path) -> None:
    other = brought(server, "turned", written(tmp_path / "turned", "llama", 3, rope_theta=500000.0))
    family = brought(server, "family", written(tmp_path / "family", "qwen2", 3))
    folder = written(tmp_path / "swapped", "llama", 3)
    causal_lms.swap_ids(folder / "tokenizer.json", "a", "b")
    swapped = brought(server, "swapped", folder)
    for one, said in (
        (other, "config.rope_theta 500000.0"),
        (family, "model_type qwen2"),
        (swapped, "not the same ones by the same ids"),
    ):
        asked = SMALL | {"parents": [models["first"]["id"], one["id"]]}
        refused = server.post("/v1/evomerge/runs", asked, status=422)
        assert refused["errors"][0]["field"] == "parents.1"
        assert said in refused["detail"]


def test_a_run_that_was_killed_breeds_the_same(server: Server, models: Any, bred: dict[str, Any]) -> None:
    """The last of this file: everything is killed at once, and what was running goes on."""
    parents = [models["first"]["id"], models["second"]["id"]]
    run = server.post("/v1/evomerge/runs", SMALL | {"parents": parents, "base": models["base"]["id"]})
    server.wait(run["id"], lambda _: len(candidates_of(server.get, run["id"])) >= 3)
    server.kill()
    server.start()
    again = server.wait(run["id"], is_status("succeeded"))
    assert again["attempt"] == 2

    def digests(run_id: str) -> dict[tuple[int, int], str]:
        return {(one["generation"], one["slot"]): one["digest"] for one in candidates_of(server.get, run_id)}

    assert digests(again["id"]) == digests(bred["id"])
    champions = [server.get(f"/v1/models/{one['champion_model_id']}")["digest"] for one in (again, bred)]
    assert champions[0] == champions[1]
