"""Layer groups: what a per-group weight applies to. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Iterable

GROUPS = ("embedding", "early", "middle", "late", "heads", "output")
"""Blocks fall into thirds by depth; `heads` is what is neither a block, the embedding nor the output layer."""

_BLOCK = re.compile(r"^transformer_blocks\.(\d+)\.(.+)$")


def block_of(name: str) -> tuple[int, str] | None:
    """(index, rest of the name) of a block's tensor; None for every other tensor."""
    found = _BLOCK.match(name)
    return (int(found[1]), found[2]) if found else None


def depth_of(names: Iterable[str]) -> int:
    """Number of blocks."""
    return max((block[0] + 1 for block in map(block_of, names) if block), default=0)


def group_of(name: str, depth: int) -> str:
    block = block_of(name)
    if block:
        return ("early", "middle", "late")[block[0] * 3 // depth]
    if name.startswith("embedding."):
        return "embedding"
    return "output" if name.startswith("output_layer.") else "heads"
