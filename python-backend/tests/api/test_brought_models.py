"""Models that are brought, and what is made of them, over HTTP: vocabularies that differ, adapters."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from api.test_folder_imports import asked, finished, send_all
from causal_lms import tokenizer_folder
from forge_server import Server, is_status
from registry.bundle.tiny import saved, tiny
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("brought") / "data")
    yield started
    assert started.stop() == 0


def published(folder: Path, seed: int, *tokens: str) -> Path:
    tokenizer_folder(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens(list(tokens))
    tokenizer.save(str(folder / "tokenizer.json"))
    return saved(tiny("llama", seed=seed, vocab_size=tokenizer.get_vocab_size()), folder)


def bring(server: Server, folder: Path, **changes: Any) -> dict[str, Any]:
    going = asked(server, folder.name, folder, **changes)
    send_all(server, going, folder)
    found = finished(server, going)
    assert found["status"] == "succeeded", found
    model: dict[str, Any] = server.get(f"/v1/models/{found['model_id']}")
    return model


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("published")
    return [published(root / "one", 1, "<x>", "<y>"), published(root / "other", 2, "<y>", "<z>", "<x>")]


@pytest.fixture(scope="module")
def models(server: Server, folders: list[Path]) -> list[dict[str, Any]]:
    return [bring(server, folder) for folder in folders]


CONFIGURATION = "merge_method: linear\nmodels: [{model: one}, {model: other}]\nparameters: {weight: 1}\n"


@pytest.fixture(scope="module")
def union(server: Server, models: list[dict[str, Any]]) -> dict[str, Any]:
    """Of both vocabularies."""
    body = {"name": "union", "configuration": f"{CONFIGURATION}tokenizer_source: union\n"}
    run = server.wait(server.post("/v1/merges", body)["id"], is_status("succeeded", "failed"))
    assert run["status"] == "succeeded", run["failure"]
    model: dict[str, Any] = server.get(f"/v1/models/{run['model_ids'][0]}")
    return model


def folder_of(server: Server, model: dict[str, Any]) -> Path:
    return server.data / "models" / str(model["folder"])


def test_models_of_two_vocabularies_are_merged_by_token(
    server: Server, folders: list[Path], models: list[dict[str, Any]], union: dict[str, Any]
) -> None:
    refused = server.post("/v1/merges", {"configuration": CONFIGURATION}, status=422)
    assert "different vocabularies" in refused["detail"]
    assert "`tokenizer_source` to `union`" in refused["detail"]
    made = folder_of(server, union)
    read, network = AutoTokenizer.from_pretrained(made), AutoModelForCausalLM.from_pretrained(made)
    rows = network.get_input_embeddings().weight
    assert union["tokenizer"]["tokens"] == len(read) == len(rows) == union["architecture"]["vocab_size"]
    assert len(rows) == models[0]["architecture"]["vocab_size"] + 1
    parents = [
        (AutoTokenizer.from_pretrained(folder).get_vocab(), AutoModelForCausalLM.from_pretrained(folder))
        for folder in folders
    ]
    for token in ("a", "<x>", "<y>", "<z>"):
        of = [own.get_input_embeddings().weight[ids[token]] for ids, own in parents if token in ids]
        torch.testing.assert_close(rows[read.get_vocab()[token]], sum(of) / len(of), rtol=0, atol=1e-7)
    verified = server.post(f"/v1/models/{union['id']}/verify", {}, status=200)
    assert [check["status"] for check in verified["checks"]] == ["passed"] * 3


def adapter(folder: Path, **changes: Any) -> Path:
    """LoRA of rank 2 on the query of layer 1, as peft writes it."""
    folder.mkdir()
    named = "base_model.model.model.layers.1.self_attn.q_proj"
    generator = torch.Generator().manual_seed(5)
    tensors = {
        f"{named}.lora_A.weight": torch.randn(2, 32, generator=generator),
        f"{named}.lora_B.weight": torch.randn(32, 2, generator=generator),
    }
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 3, "use_rslora": True, "task_type": "CAUSAL_LM"}
    (folder / "adapter_config.json").write_text(json.dumps(config | changes))
    return folder


def test_an_adapter_is_merged_onto_its_base(
    server: Server, folders: list[Path], models: list[dict[str, Any]], tmp_path: Path
) -> None:
    folder = adapter(tmp_path / "tuned")
    model = bring(server, folder, base="one")
    name = "model.layers.1.self_attn.q_proj.weight"
    plain, given = load_file(folders[0] / "model.safetensors"), load_file(folder / "adapter_model.safetensors")
    down, up = (tensor.double() for tensor in given.values())
    made = load_file(folder_of(server, model) / "model.safetensors")
    expected = plain | {name: (plain[name].double() + 3 / 2**0.5 * up @ down).float()}
    assert made.keys() == expected.keys()
    assert all(torch.equal(made[key], tensor) for key, tensor in expected.items())
    AutoModelForCausalLM.from_pretrained(folder_of(server, model))
    assert [server.get(f"/v1/models/{parent}")["name"] for parent in model["parents"]] == ["one", "tuned.adapter"]
    verified = server.post(f"/v1/models/{model['id']}/verify", {}, status=200)
    assert [check["status"] for check in verified["checks"]] == ["passed"] * 3


@pytest.mark.parametrize(
    ("changes", "base", "message"),
    [
        ({}, None, "name the `base`"),
        ({}, "nobody", "no model nobody"),
        ({"use_dora": True}, "one", "DoRA"),
        ({"peft_type": "IA3"}, "one", "'IA3'"),
        ({"r": 4}, "one", "rank 4"),
    ],
)
def test_adapters_that_are_not_merged(
    server: Server,
    models: list[dict[str, Any]],
    tmp_path: Path,
    changes: dict[str, Any],
    base: str | None,
    message: str,
) -> None:
    folder = adapter(tmp_path / f"refused-{len(message)}", **changes)
    going = asked(server, folder.name, folder, base=base)
    send_all(server, going, folder)
    found = finished(server, going)
    assert found["status"] == "failed"
    assert message in found["fault"]["detail"]


def test_what_was_made_here_and_comes_back_keeps_its_lineage(
    server: Server, models: list[dict[str, Any]], union: dict[str, Any], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folder_of(server, union), tmp_path / "again"))
    again = bring(server, folder)
    assert again["digest"] == union["digest"]
    assert again["parents"] == [model["id"] for model in models]
    assert again["origin"]["recipe"] == union["origin"]["recipe"]
    verified = server.post(f"/v1/models/{again['id']}/verify", {}, status=200)
    assert [check["status"] for check in verified["checks"]] == ["passed"] * 3


def test_models_that_a_recipe_names_and_nobody_has_are_unknown(
    server: Server, models: list[dict[str, Any]], union: dict[str, Any], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folder_of(server, union), tmp_path / "stranger"))
    told = (folder / "recipe.json").read_text()
    (folder / "recipe.json").write_text(told.replace(models[0]["digest"], "0" * 64))
    brought = bring(server, folder)
    assert brought["parents"] == [models[1]["id"]]
    names = {node["name"] for node in server.get(f"/v1/models/{brought['id']}/lineage")["nodes"]}
    assert {"unknown model", "other"} <= names
    verified = server.post(f"/v1/models/{brought['id']}/verify", {}, status=200)
    assert not verified["ok"]
