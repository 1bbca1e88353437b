"""Recipes as trees. Free of torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...contract.recipe import MergeNode, Recipe
from ..merge_methods import merge_method


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


def node(op: str, inputs: list[Recipe], base: Recipe | None = None, seed: int = 0, **offered: Any) -> MergeNode:
    """A node with all parameters of its op: those offered, of which it takes what it has, then the defaults."""
    method = merge_method(op)
    properties: Mapping[str, Any] = method.parameters["properties"]
    parameters = {
        name: offered[name] if name in offered else schema.get("default", []) for name, schema in properties.items()
    }
    return MergeNode(
        op=op,
        inputs=inputs,
        base=base if method.uses_base else None,
        parameters=parameters,
        seed=seed if method.random else 0,
    )
