"""What a folder's config and tensors say of the model: its family, layers, vocabulary, type, and whether the head is
tied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ...contract.architecture import Architecture, CausalLM
from ..errors import IncompleteModelError, ModelFileError
from ..families.family import Role
from ..families.layout import Layout, layout_of
from ..header import TensorSpec

LAYER_COUNTS = ("num_hidden_layers", "n_layer", "num_layers")
"""Keys of configs that say how many layers there are."""


def causal_lm(
    config: Mapping[str, Any], specs: Mapping[str, TensorSpec], same: Callable[[str, str], bool]
) -> CausalLM | None:
    """None where the config is of another kind of model, or of none that has an embedding and layers.

    same: whether two tensors of one shape hold the same bytes.
    Raises IncompleteModelError and ModelFileError where config and tensors contradict each other.
    """
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or not 0 < len(model_type) <= 64:
        raise ModelFileError("config.json names no model_type")
    layout = layout_of(specs, model_type)
    embedding = layout.of_role(specs, Role.embedding)
    if config.get("is_encoder_decoder") is True or layout.depth == 0 or embedding is None:
        return None
    shape = specs[embedding].shape
    if len(shape) != 2 or 0 in shape:
        return None
    _check_layers(config, layout)
    claimed = config.get("vocab_size")
    if layout.family is not None and isinstance(claimed, int) and claimed != shape[0]:
        raise ModelFileError(f"config.json has a vocab_size of {claimed}, `{embedding}` has {shape[0]} rows")
    return CausalLM(
        model_type=model_type,
        config=dict(config),
        layers=layout.depth,
        vocab_size=shape[0],
        tied=_is_tied(config, layout, specs, embedding, same),
        dtype=_dtype(specs, layout),
    )


def is_parameter(name: str, spec: TensorSpec, layout: Layout) -> bool:
    """Whether it is learnt. Integers, bits and what a family computes are carried along, not counted."""
    return spec.dtype[0] in "BFC" and spec.dtype != "BOOL" and not layout.is_buffer(name)


def count_parameters(specs: Mapping[str, TensorSpec], model_type: str | None = None) -> int:
    layout = layout_of(specs, model_type)
    return sum(spec.elements for name, spec in specs.items() if is_parameter(name, spec, layout))


def model_type_of(architecture: Architecture | None) -> str | None:
    return architecture.model_type if isinstance(architecture, CausalLM) else None


def _check_layers(config: Mapping[str, Any], layout: Layout) -> None:
    claimed = next((config[key] for key in LAYER_COUNTS if isinstance(config.get(key), int)), layout.depth)
    if layout.family is not None and claimed != layout.depth:
        raise IncompleteModelError(f"config.json has {claimed} layers, the tensors are of {layout.depth}")


def _is_tied(
    config: Mapping[str, Any],
    layout: Layout,
    specs: Mapping[str, TensorSpec],
    embedding: str,
    same: Callable[[str, str], bool],
) -> bool:
    head = layout.of_role(specs, Role.head)
    if head is None:
        return True
    # A file may hold a tied head twice. One that says it is tied and differs is read as its own, as transformers does.
    return config.get("tie_word_embeddings") is True and specs[head] == specs[embedding] and same(head, embedding)


def _dtype(specs: Mapping[str, TensorSpec], layout: Layout) -> str:
    entries: Counter[str] = Counter()
    for name, spec in specs.items():
        if is_parameter(name, spec, layout):
            entries[spec.dtype] += spec.elements
    return max(sorted(entries), key=entries.__getitem__, default="F32")
