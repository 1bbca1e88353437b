"""Whether models may be merged: what their tensors' shapes do not say. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..causal_lm.config import unlike
from ..contract.architecture import CausalLM, TinyTitan
from ..contract.model import Model
from ..registry.bundle.causal_lm import LAYER_COUNTS
from .result import BY_LAYER

OF_SHAPE = frozenset({*LAYER_COUNTS, *BY_LAYER, "vocab_size"})
"""What tensors' shapes say, and vocabularies."""


def differences(models: Iterable[Model]) -> Iterator[tuple[Model, str]]:
    """(model, how it differs from the first), of those that cannot be merged with it."""
    first, *others = models
    for other in others:
        found = _difference(other, first)
        if found is not None:
            yield other, found


def _difference(other: Model, first: Model) -> str | None:
    own, wanted = other.architecture, first.architecture
    if type(own) is not type(wanted):
        return f"{other.name} is {_kind(other)}, {first.name} is {_kind(first)}"
    pairs: list[tuple[str, Any, Any]] = []
    if isinstance(own, TinyTitan) and isinstance(wanted, TinyTitan):
        # shapes do not show heads or window: models that differ in them would be merged, and run with the wrong ones
        pairs = [(key, value, getattr(wanted, key)) for key, value in own if key not in ("n_layers", "preset")]
    if isinstance(own, CausalLM) and isinstance(wanted, CausalLM):
        pairs = [("model_type", own.model_type, wanted.model_type)]
        stated = unlike(own.config, wanted.config)
        pairs += [(f"config.{key}", has, should) for key, has, should in stated if key not in OF_SHAPE]
    for name, has, should in pairs:
        if has != should:
            return f"{other.name} has {name} {has}, {first.name} has {should}"
    return None


def _kind(model: Model) -> str:
    match model.architecture:
        case TinyTitan():
            return "a TinyTitan"
        case CausalLM(model_type=model_type):
            return f"a causal language model ({model_type})"
        case None:
            return "of an unknown architecture"
