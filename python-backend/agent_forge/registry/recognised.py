"""A recipe that came with a model: its leaves are known by digest, since ids are another registry's."""

from __future__ import annotations

from collections.abc import Callable

from ..contract.recipe import Leaf, Recipe

UNKNOWN = "unknown_"
"""Begins the id of a leaf that is not registered."""
FindDigest = Callable[[str], str | None]
"""Id of a registered model by its digest."""


def recognised(recipe: Recipe, find: FindDigest) -> Recipe:
    """The recipe with the ids of models here. What is not registered keeps no id that another model could have."""
    if isinstance(recipe, Leaf):
        return recipe.model_copy(update={"model_id": find(recipe.digest) or f"{UNKNOWN}{recipe.digest[:24]}"})
    base = recognised(recipe.base, find) if recipe.base is not None else None
    return recipe.model_copy(update={"inputs": [recognised(part, find) for part in recipe.inputs], "base": base})
