"""Which tensors lie in which file where a model has several, and the index of them. Free of torch.

As transformers writes them: https://huggingface.co/docs/transformers/big_models
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ..header import TensorSpec
from .documents import SINGLE

MOST_SHARDS = 1000


def sharded(specs: Mapping[str, TensorSpec], most_bytes: int | None) -> dict[str, list[str]]:
    """Name of the file → names of its tensors, in the order given. One that is larger than `most_bytes` is alone."""
    parts: list[list[str]] = [[]]
    size = 0
    for name, spec in specs.items():
        if parts[-1] and most_bytes is not None and size + spec.bytes > most_bytes:
            parts.append([])
            size = 0
        parts[-1].append(name)
        size += spec.bytes
    if len(parts) == 1:
        return {SINGLE: parts[0]}
    return {f"model-{index:05}-of-{len(parts):05}.safetensors": names for index, names in enumerate(parts, 1)}


def index_of(files: Mapping[str, Sequence[str]], specs: Mapping[str, TensorSpec]) -> bytes:
    """The text of `model.safetensors.index.json`."""
    placed = {name: file for file, names in files.items() for name in names}
    total = sum(spec.bytes for spec in specs.values())
    text = {"metadata": {"total_size": total}, "weight_map": dict(sorted(placed.items()))}
    return json.dumps(text, indent=2).encode() + b"\n"
