"""Layer groups: what a per-group weight applies to. Torch-free."""

from __future__ import annotations

from ..contract.architecture import block_of

GROUPS = ("embedding", "early", "middle", "late", "heads", "output")
"""Blocks fall into thirds by depth; `heads` is what is neither a block, the embedding nor the output layer."""


def group_of(name: str, depth: int) -> str:
    block = block_of(name)
    if block:
        return ("early", "middle", "late")[block[0] * 3 // depth]
    if name.startswith("embedding."):
        return "embedding"
    return "output" if name.startswith("output_layer.") else "heads"
