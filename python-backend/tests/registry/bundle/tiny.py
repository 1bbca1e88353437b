"""Tiny causal LMs of transformers' own, and how they come into the registry."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from agent_forge.contract.job import ModelDraft
from agent_forge.contract.model import Model, ModelKind
from agent_forge.contract.recipe import ImportOrigin
from agent_forge.registry.bundle.inspection import inspect
from agent_forge.registry.bundle.placement import place_folder
from agent_forge.registry.files import ModelFiles

TIME = datetime(2026, 1, 2, tzinfo=UTC)
_LLAMA = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": _LLAMA,
    "qwen2": _LLAMA | {"tie_word_embeddings": False},
    "gpt2": {"n_layer": 2, "n_embd": 32, "n_head": 4, "n_positions": 64},
    "gemma": _LLAMA,
}
TIED = {"gpt2", "gemma"}


def tiny(model_type: str, *, seed: int = 1, dtype: torch.dtype = torch.float32, **changes: Any) -> PreTrainedModel:
    special = {"vocab_size": 96, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    torch.manual_seed(seed)
    config = AutoConfig.for_model(model_type, **(special | CONFIGS[model_type] | changes))
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config).to(dtype).eval()
    return model


def saved(model: PreTrainedModel, folder: Path, **options: Any) -> Path:
    """As people publish it."""
    model.save_pretrained(folder, **options)
    return folder


def brought(files: ModelFiles, folder: Path, name: str = "brought") -> Model:
    """The model of a folder below the models directory, which is moved."""
    found = inspect(folder, [path.name for path in folder.iterdir()])
    draft = ModelDraft(
        name=name,
        directory="imported",
        kind=ModelKind.imported,
        specialization=None,
        architecture=found.architecture,
        origin=ImportOrigin(filename=folder.name),
        parents=[],
        metrics={},
    )
    return place_folder(draft, folder, found, files=files, run_id=None, tokenizer=None, versions={}, time=TIME)


@torch.no_grad()
def logits(model: PreTrainedModel) -> torch.Tensor:
    found: torch.Tensor = model(torch.arange(3, 40)[None]).logits
    return found
