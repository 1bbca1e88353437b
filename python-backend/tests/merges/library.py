"""Registered models without a registry: rows, and the tensors that their headers would tell of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent_forge.contract.architecture import Architecture, CausalLM
from agent_forge.contract.base import now
from agent_forge.contract.model import Model, ModelKind, Tokenizer
from agent_forge.contract.recipe import ImportOrigin, Leaf
from agent_forge.evomerge.stack import stack_of
from agent_forge.merges.configuration import ModelReference
from agent_forge.merges.conversion import Model as Known
from agent_forge.registry.header import TensorSpec

RESTS = ("self_attn.q_proj.weight", "mlp.down_proj.weight")


def specs_of(layers: int, dtype: str = "BF16", rows: int = 8) -> dict[str, TensorSpec]:
    names = [f"model.layers.{layer}.{rest}" for layer in range(layers) for rest in RESTS]
    inside = {name: TensorSpec(dtype, (4, 4)) for name in names}
    return {"model.embed_tokens.weight": TensorSpec(dtype, (rows, 4)), **inside}


def llama(layers: int, **config: Any) -> CausalLM:
    stated = {"model_type": "llama", "num_hidden_layers": layers, "dtype": "bfloat16", **config}
    return CausalLM(model_type="llama", config=stated, layers=layers, vocab_size=8, tied=True, dtype="BF16")


def row(name: str, architecture: Architecture | None, vocabulary: str | None = "a") -> Model:
    digest = (name.encode().hex() * 64)[:64]
    tokenizer = None
    if vocabulary is not None:
        tokenizer = Tokenizer(
            kind="BPE", tokens=8, vocabulary=vocabulary * 64, sha256=vocabulary * 64, chat_template=False
        )
    return Model(
        id=f"mdl_{name}",
        name=name,
        kind=ModelKind.imported,
        run_id=None,
        specialization=None,
        architecture=architecture,
        parameters=1,
        bytes=1,
        digest=digest,
        origin=ImportOrigin(filename=name),
        parents=[],
        files=[],
        folder=f"imported/{name}",
        tokenizer=tokenizer,
        metrics={},
        versions={},
        created_at=now(),
    )


@dataclass
class Library:
    """Implements `merges.plan.Library`."""

    rows: dict[str, Model] = field(default_factory=dict)
    tensors: dict[str, Mapping[str, TensorSpec]] = field(default_factory=dict)

    def add(self, model: Model, specs: Mapping[str, TensorSpec]) -> None:
        self.rows[model.id], self.tensors[model.id] = model, specs

    def find(self, model_id: str) -> Model | None:
        return self.rows.get(model_id)

    def named(self, reference: ModelReference) -> Model:
        found = self.rows.get(f"mdl_{reference}")
        if found is None:
            raise LookupError("there is no such model")
        return found

    def specs(self, model: Model) -> Mapping[str, TensorSpec]:
        return self.tensors[model.id]

    def known(self, model: Model) -> Known:
        return Known(Leaf(model_id=model.id, digest=model.digest), stack_of(self.specs(model)), "bfloat16")
