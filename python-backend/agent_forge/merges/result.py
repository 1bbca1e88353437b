"""The architecture of what a merge makes, from its tensors and the models that they come from. Free of torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ..contract.architecture import Architecture, CausalLM, TinyTitan, fitted
from ..contract.model import Model
from ..registry.bundle.causal_lm import LAYER_COUNTS
from ..registry.families.family import Role
from ..registry.families.layout import layout_of
from ..registry.header import TensorSpec
from .errors import RecipeRefused
from .outline import FLOATS, Outline

BY_LAYER = ("layer_types", "mlp_layer_types", "no_rope_layers", "layers_block_type")
"""Keys of configs that list something for each layer."""


_SPECIAL = ("bos_token_id", "eos_token_id", "pad_token_id")


def architecture_of(outline: Outline, donor: Model, find: Callable[[str], Model]) -> Architecture | None:
    """donor: whose config it has. find: a model of the recipe by id. None where the donor's is unknown, and for
    TinyTitans of another type than float32, which cannot be run. Raises `RecipeRefused`."""
    own = donor.architecture
    if isinstance(own, TinyTitan):
        if any(one.spec.dtype != "F32" for one in outline.values()):
            return None
        found = fitted(own, {name: one.spec.shape for name, one in outline.items()})
        if found is None:
            raise RecipeRefused("recipe", "what it makes is no TinyTitan: too many blocks, or none")
        return found
    if isinstance(own, CausalLM):
        return _causal(outline, own, find)
    return None


def sized(
    architecture: Architecture | None, specs: Mapping[str, TensorSpec], reader: Model | None
) -> Architecture | None:
    """With the number of rows that its embedding has come to, and the special tokens of the model whose tokenizer it
    has."""
    if not isinstance(architecture, CausalLM):
        return architecture
    embedding = layout_of(specs, architecture.model_type).of_role(specs, Role.embedding)
    rows = specs[embedding].shape[0] if embedding is not None else architecture.vocab_size
    config = dict(architecture.config)
    if rows != config.get("vocab_size", rows):
        config["vocab_size"] = rows
    theirs = reader.architecture if reader is not None else None
    if isinstance(theirs, CausalLM):
        config |= {key: theirs.config[key] for key in _SPECIAL if key in theirs.config and config.get(key) is not None}
    return architecture.model_copy(update={"config": config, "vocab_size": rows})


def _causal(outline: Outline, own: CausalLM, find: Callable[[str], Model]) -> CausalLM:
    layout = layout_of(outline, own.model_type)
    entries: Counter[str] = Counter()
    sources: list[tuple[str, int]] = [("", 0)] * layout.depth
    for name, one in outline.items():
        entries[one.spec.dtype] += one.spec.elements
        place = layout.place(name)
        if place.layer is not None:
            theirs = find(one.model_id).architecture
            family = theirs.model_type if isinstance(theirs, CausalLM) else None
            sources[place.layer] = one.model_id, layout_of((one.name,), family).place(one.name).layer or 0
    dtype = max(sorted(entries), key=entries.__getitem__)
    config = dict(own.config)
    if layout.depth != own.layers:
        counts = [key for key in LAYER_COUNTS if key in config] or ["num_hidden_layers"]
        config |= dict.fromkeys(counts, layout.depth)
    for key in BY_LAYER:
        if isinstance(config.get(key), list):
            config[key] = [_of_layer(find(model), key, layer) for model, layer in sources]
    types = [key for key in ("dtype", "torch_dtype") if key in config] or ["dtype"]
    config |= dict.fromkeys(types, FLOATS[dtype])
    return own.model_copy(update={"config": config, "layers": layout.depth, "dtype": dtype})


def _of_layer(model: Model, key: str, layer: int) -> Any:
    config: Mapping[str, Any] = model.architecture.config if isinstance(model.architecture, CausalLM) else {}
    listed = config.get(key)
    if not isinstance(listed, list) or layer >= len(listed):
        raise RecipeRefused("recipe", f"the config of {model.id} says nothing of layer {layer} in {key}")
    return listed[layer]
