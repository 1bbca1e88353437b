"""What of a `config.json` decides what a model computes, as it stands there. Free of torch and transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

OF_NO_EFFECT = frozenset(
    {
        "_name_or_path",
        "architectures",
        "bos_token_id",
        "dtype",
        "eos_token_id",
        "initializer_range",
        "max_position_embeddings",
        "pad_token_id",
        "tie_word_embeddings",
        "torch_dtype",
        "transformers_version",
        "use_cache",
    }
)
"""Keys that do not change what merged tensors compute."""
_ROPE = ("rope_parameters", "rope_scaling")
"""Objects whose entries older versions of transformers wrote beside them."""


def stated(config: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that matter, without nulls; rotary positions in one spelling, whichever version of transformers wrote them.

    What is not stated has its family's default, which is for transformers to say.
    """
    found = {key: value for key, value in config.items() if key not in _ROPE}
    for key in _ROPE:
        entries = config.get(key)
        if isinstance(entries, Mapping):
            found |= {"rope_type" if name == "type" else name: value for name, value in entries.items()}
    if found.get("rope_type") == "default":
        del found["rope_type"]
    return {key: value for key, value in found.items() if key not in OF_NO_EFFECT and value is not None}


def unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(key, value in one, value in the other) where two configs state different things, by key."""
    left, right = stated(one), stated(other)
    for key in sorted(left.keys() & right.keys()):
        if left[key] != right[key]:
            yield key, left[key], right[key]
