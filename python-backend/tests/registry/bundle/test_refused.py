"""Folders that are no model, and files that may not come with one: each refused by what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from registry.bundle.tiny import saved, tiny
from safetensors.torch import load_file, save_file

from agent_forge.registry.bundle import strict_json
from agent_forge.registry.bundle.documents import INDEX, kind_of, left_out
from agent_forge.registry.bundle.inspection import inspect
from agent_forge.registry.errors import IncompleteModelError, MalformedFileError, ModelFileError, RegistryError
from agent_forge.registry.files import ModelFiles

Change = Callable[[Path], None]


def without(*names: str) -> Change:
    def change(folder: Path) -> None:
        for name in names:
            for path in list(folder.glob(name)):
                path.unlink()

    return change


def edited(name: str, edit: Callable[[dict[str, Any]], object]) -> Change:
    def change(folder: Path) -> None:
        document = json.loads((folder / name).read_bytes())
        edit(document)
        (folder / name).write_text(json.dumps(document))

    return change


def named(tensor: str, file: str) -> Change:
    return edited(INDEX, lambda index: index["weight_map"].update({tensor: file}))


def copied(source: str, target: str) -> Change:
    return lambda folder: (folder / target).write_bytes((folder / source).read_bytes()) and None


def with_nan(folder: Path) -> None:
    shard = min(folder.glob("model-*.safetensors"))
    tensors = load_file(shard)
    next(iter(tensors.values())).view(-1)[0] = float("nan")
    save_file(tensors, shard, {"format": "pt"})


SHARD = "model-00002-of-00004.safetensors"


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (without(SHARD), IncompleteModelError, f"3 of 4 shards are there; {SHARD} is missing"),
        (without("model-0000[2-4]*"), IncompleteModelError, f"{SHARD} and 2 more is missing"),
        (without(INDEX), IncompleteModelError, f"{INDEX} is missing"),
        (without("model-*.safetensors"), IncompleteModelError, "none of the shards that it names"),
        (without("model*"), IncompleteModelError, "there is documents and no weights"),
        (copied(SHARD, "model.safetensors"), IncompleteModelError, "there are both model.safetensors and"),
        (copied(SHARD, "model-00002-of-00009.safetensors"), IncompleteModelError, "two different models"),
        (named("lm_head.weight", "../model.safetensors"), ModelFileError, "which is no shard of this model"),
        (named("lm_head.weight", "/etc/passwd"), ModelFileError, "which is no shard of this model"),
        (named("lm_head.weight", "config.json"), ModelFileError, "which is no shard of this model"),
        (named("another.weight", SHARD), ModelFileError, "it is in none of the shards"),
        (edited(INDEX, lambda index: index["weight_map"].pop("lm_head.weight")), ModelFileError, "does not name it"),
        (edited(INDEX, lambda index: index.pop("weight_map")), ModelFileError, "no weight_map"),
        (edited("config.json", lambda config: config.pop("model_type")), ModelFileError, "names no model_type"),
        (edited("config.json", lambda c: c.update(num_hidden_layers=3)), IncompleteModelError, "has 3 layers"),
        (edited("config.json", lambda config: config.update(vocab_size=97)), ModelFileError, "vocab_size of 97"),
        (lambda folder: (folder / "config.json").write_text("{} "), ModelFileError, "names no model_type"),
        (lambda folder: (folder / "config.json").write_text("<html>"), ModelFileError, "config.json is not JSON"),
        (lambda folder: (folder / "README.md").write_bytes(b" " * 2**20 + b" "), ModelFileError, "1048576 at most"),
        (lambda folder: (folder / SHARD).write_bytes(b"\x80\x02" + b"." * 2000), MalformedFileError, "a pickle"),
        (with_nan, MalformedFileError, "NaN"),
    ],
)
def test_a_folder_that_is_no_model(files: ModelFiles, change: Change, error: type[RegistryError], said: str) -> None:
    folder = saved(tiny("llama"), files.scratch / "in", max_shard_size="30KB")
    assert (folder / SHARD).exists()
    change(folder)
    with pytest.raises(error) as refused:
        inspect(folder, [path.name for path in folder.iterdir()])
    assert said in str(refused.value)


def test_weights_that_would_have_to_be_unpickled(files: ModelFiles) -> None:
    folder = saved(tiny("llama"), files.scratch / "in")
    (folder / "model.safetensors").unlink()
    with pytest.raises(IncompleteModelError, match=r"pytorch_model\.bin is no safetensors file"):
        inspect(folder, [path.name for path in folder.iterdir()], left_out=["pytorch_model.bin"])


def test_an_adapter_needs_a_base(files: ModelFiles, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(IncompleteModelError, match=r"adapter_model\.safetensors is missing"):
        inspect(tmp_path, ["adapter_config.json"])


def test_a_link_in_the_folder_is_not_followed(files: ModelFiles, tmp_path: Path) -> None:
    folder = saved(tiny("llama"), files.scratch / "in")
    (folder / "config.json").rename(tmp_path / "config.json")
    (folder / "README.md").symlink_to(tmp_path / "config.json")
    with pytest.raises(OSError, match="symbolic links"):
        inspect(folder, ["README.md", "model.safetensors"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pytorch_model.bin", "may run code"),
        ("model.PT", "may run code"),
        ("modeling_llama.py", "is code"),
        ("../config.json", "folder of its own"),
        ("original/model.safetensors", "folder of its own"),
        (".gitattributes", "folder of its own"),
        ("model.safetensors.part", "none of the files"),
        ("model-1-of-2.safetensors", "none of the files"),
        ("model.safetensors\n", "none of the files"),
        ("CONFIG.JSON", "none of the files"),
    ],
)
def test_names_that_are_not_on_the_list(name: str, said: str) -> None:
    assert kind_of(name) is None
    assert said in left_out(name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "no object"),
        ('{"a": 1, "a": 2}', "named twice"),
        ('{"a": NaN}', "not JSON"),
        ('{"a": 1e999}', "out of range"),
        ('{"a": ' + "1" * 5000 + "}", "out of range"),
        ('{"a": ' + "[" * 65 + "]" * 65 + "}", "64 levels"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "64 levels"),
        ('{"a": 1} x', "not JSON"),
        ("\xff", "not JSON"),
    ],
)
def test_json_of_strangers(text: str, said: str) -> None:
    with pytest.raises(ModelFileError) as refused:
        strict_json.parse("config.json", text.encode("latin-1"))
    assert said in str(refused.value)


def test_the_length_of_a_tokenizer_without_one() -> None:
    # as transformers writes it
    text = f'{{"model_max_length": {int(1e30)}}}'
    assert strict_json.parse("tokenizer_config.json", text.encode()) == {"model_max_length": int(1e30)}
