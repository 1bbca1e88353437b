"""The registered models that a recipe is made of. Free of torch."""

from __future__ import annotations

from collections.abc import Iterator

from ..contract.recipe import Leaf, Recipe


def leaves(recipe: Recipe) -> Iterator[Leaf]:
    """All leaves of a recipe, left to right, base last; a model that is used twice comes twice."""
    if isinstance(recipe, Leaf):
        yield recipe
        return
    for part in recipe.inputs:
        yield from leaves(part)
    if recipe.base is not None:
        yield from leaves(recipe.base)
