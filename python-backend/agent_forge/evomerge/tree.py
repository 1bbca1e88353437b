"""Recipes as trees. Free of torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from ..contract.recipe import MergeNode, Recipe


def recipe_digest(recipe: Recipe) -> str:
    """SHA-256 of the recipe as canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(recipe.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def nodes(recipe: Recipe) -> Iterator[Recipe]:
    """All nodes of the tree, root first; what occurs twice comes twice."""
    yield recipe
    if isinstance(recipe, MergeNode):
        for part in parts(recipe):
            yield from nodes(part)


def parts(node: MergeNode) -> list[Recipe]:
    """What a node is made from: its inputs, then its base."""
    return [*node.inputs, *([node.base] if node.base is not None else [])]
