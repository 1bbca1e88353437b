"""Models as a catalog knows them: names of tensors, layers, types; no entry is ever read."""

from __future__ import annotations

import hashlib

from agent_forge.contract.recipe import Leaf
from agent_forge.evomerge.stack import Stack, stack_of
from agent_forge.merges.configuration import ModelReference
from agent_forge.merges.conversion import Model

LAYERS = {"base": 4, "a": 4, "b": 4, "c": 4, "deep": 8, "half": 4, "single": 4}
DTYPES = {"half": "float16", "single": "float32"}
RESTS = ("input_layernorm.weight", "self_attn.q_proj.weight", "mlp.down_proj.weight")


def names(layers: int) -> list[str]:
    blocks = [f"model.layers.{layer}.{rest}" for layer in range(layers) for rest in RESTS]
    return ["model.embed_tokens.weight", *blocks, "model.norm.weight", "lm_head.weight"]


def leaf(name: str) -> Leaf:
    return Leaf(model_id=name, digest=hashlib.sha256(name.encode()).hexdigest())


def catalog(reference: ModelReference) -> Model:
    name = str(reference)
    if name not in LAYERS:
        raise LookupError("there is no such model")
    return Model(leaf(name), stack_of(names(LAYERS[name])), DTYPES.get(name, "bfloat16"))


def directory(one: Leaf) -> tuple[str, Stack, str]:
    return one.model_id, stack_of(names(LAYERS[one.model_id])), DTYPES.get(one.model_id, "bfloat16")
