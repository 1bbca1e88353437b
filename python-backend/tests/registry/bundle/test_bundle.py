"""Folders of causal LMs become models: read through one view, proved, and loaded by transformers as they came."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from registry.bundle.tiny import CONFIGS, TIED, brought, logits, saved, tiny
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from agent_forge.contract.architecture import CausalLM
from agent_forge.registry.bundle.inspection import inspect
from agent_forge.registry.bundle.view import TensorView
from agent_forge.registry.download import download
from agent_forge.registry.errors import NameTakenError, SeveralFilesError
from agent_forge.registry.files import ModelFiles
from agent_forge.registry.header import read_header
from agent_forge.registry.proof import Proofs
from agent_forge.registry.store import convert_to_pt
from agent_forge.registry.tensors import digest_tensors, load_tensors
from agent_forge.registry.verify import verify_model


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("model_type", CONFIGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shards", [False, True])
def test_what_comes_in_is_what_transformers_wrote(
    files: ModelFiles, model_type: str, dtype: torch.dtype, shards: bool
) -> None:
    own = tiny(model_type, dtype=dtype)
    folder = saved(own, files.scratch / "in", **({"max_shard_size": "20KB"} if shards else {}))
    assert ("model.safetensors.index.json" in names(folder)) is shards
    expected = logits(AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval())
    model = brought(files, folder)
    architecture = model.architecture
    assert isinstance(architecture, CausalLM)
    assert (architecture.model_type, architecture.layers, architecture.vocab_size) == (model_type, 2, 96)
    assert architecture.tied is (model_type in TIED)
    assert architecture.dtype == {torch.float32: "F32", torch.bfloat16: "BF16"}[dtype]
    assert model.parameters == own.num_parameters()

    again = AutoModelForCausalLM.from_pretrained(files.inside(model.folder or ""), dtype=dtype).eval()
    assert torch.equal(logits(again), expected)
    view = TensorView(files.weights(model))
    for name, tensor in own.state_dict().items():
        if name in view:
            assert torch.equal(view[name], tensor)
    assert digest_tensors(view) == model.digest
    if shards:
        with pytest.raises(SeveralFilesError, match="no one file of it is the model"):
            download(Proofs(files), model, "safetensors")
    convert_to_pt(files.weights(model), target := files.scratch / "whole.pt")
    assert digest_tensors(torch.load(target, weights_only=True)) == model.digest
    proof = verify_model(model, files, None)
    assert proof.ok
    assert {check.name: check.status for check in proof.checks}["parameter_count"] == "passed"


def test_the_digest_knows_no_shards(files: ModelFiles) -> None:
    own = tiny("llama")
    whole = inspect(folder := saved(own, files.scratch / "whole"), names(folder))
    parts = inspect(folder := saved(own, files.scratch / "parts", max_shard_size="20KB"), names(folder))
    assert (len(whole.weights), len(parts.weights) > 2) == (1, True)
    assert whole.digest == parts.digest
    assert whole.digest == digest_tensors(load_tensors(files.scratch / "whole" / "model.safetensors"))


def test_rows_are_read_without_the_rest(files: ModelFiles) -> None:
    folder = saved(tiny("llama", dtype=torch.bfloat16), files.scratch / "in", max_shard_size="20KB")
    view = TensorView(sorted(folder.glob("*.safetensors")))
    embedding = view["model.embed_tokens.weight"].clone()
    assert torch.equal(view.rows("model.embed_tokens.weight", 5, 9), embedding[5:9])
    assert view.rows("model.embed_tokens.weight", 9, 9).shape == (0, 32)
    assert view.specs["model.norm.weight"].shape == (32,)
    view.release("model.embed_tokens.weight")
    assert torch.equal(view["model.embed_tokens.weight"], embedding)
    for start, stop in ((-1, 3), (5, 3), (90, 97)):
        with pytest.raises(IndexError, match="no rows"):
            view.rows("model.embed_tokens.weight", start, stop)


@pytest.mark.parametrize("equal", [True, False])
def test_a_tied_head_that_the_file_holds_twice(files: ModelFiles, equal: bool) -> None:
    """Tied where both are the same bytes; a file that says so and differs has a head of its own."""
    folder = saved(tiny("llama", tie_word_embeddings=True), files.scratch / "in")
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] + (0 if equal else 1)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    found = inspect(folder, names(folder)).architecture
    assert isinstance(found, CausalLM)
    assert found.tied is equal


def test_buffers_are_carried_and_not_counted(files: ModelFiles) -> None:
    own = tiny("gpt2", dtype=torch.bfloat16)
    folder = saved(own, files.scratch / "in")
    tensors = load_file(folder / "model.safetensors")
    for layer in range(2):
        tensors[f"transformer.h.{layer}.attn.bias"] = torch.ones(1, 1, 64, 64, dtype=torch.bool).tril()
        tensors[f"transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e4, dtype=torch.bfloat16)
    save_file(tensors, folder / "model.safetensors", {"format": "pt", "made_by": "hand"})
    model = brought(files, folder)
    assert model.parameters == own.num_parameters()
    assert TensorView(files.weights(model)).keys() == tensors.keys()
    described = json.loads(files.metadata(model).read_bytes())
    assert described["file_metadata"] == {"format": "pt", "made_by": "hand"}


def test_a_folder_without_a_config_is_a_model_of_an_unknown_kind(files: ModelFiles) -> None:
    folder = saved(tiny("llama"), files.scratch / "in", max_shard_size="20KB")
    (folder / "config.json").unlink()
    model = brought(files, folder)
    assert model.architecture is None
    assert model.parameters == tiny("llama").num_parameters()


def test_a_model_s_folder_is_its_own(files: ModelFiles) -> None:
    one = brought(files, saved(tiny("llama"), files.scratch / "one"), "mine")
    with pytest.raises(NameTakenError):
        brought(files, saved(tiny("llama", seed=2), files.scratch / "two"), "mine")
    # after a crash between the move and the row the same comes again
    assert brought(files, saved(tiny("llama"), files.scratch / "one"), "mine") == one
    weights = files.weights(one)[0]
    assert read_header(weights).metadata == {"format": "pt"}
    files.remove(one)
    assert not weights.parent.exists()
    assert not files.metadata(one).exists()
