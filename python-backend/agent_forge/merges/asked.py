"""A recipe as it is asked for, completed: digests of its models, defaults of its ops. Free of torch."""

from __future__ import annotations

from collections.abc import Callable

from ..contract.merge import AskedModel, AskedRecipe
from ..contract.recipe import Leaf, MergeNode, Recipe
from ..evomerge.errors import UnknownOp
from ..evomerge.merge_methods import merge_method
from .errors import RecipeRefused
from .parameters import differing, filled

FindLeaf = Callable[[str], Leaf | None]
"""The registered model of an id."""


def completed(asked: AskedRecipe, find: FindLeaf, path: str = "recipe") -> Recipe:
    """path: in the request. Raises `RecipeRefused`."""
    if isinstance(asked, AskedModel):
        leaf = find(asked.model_id)
        if leaf is None:
            raise RecipeRefused(f"{path}.model_id", f"{asked.model_id} is not a registered model")
        if asked.digest not in (None, leaf.digest):
            raise RecipeRefused(f"{path}.digest", f"{asked.model_id} has the digest {leaf.digest}")
        return leaf
    try:
        method = merge_method(asked.op)
    except UnknownOp as error:
        raise RecipeRefused(f"{path}.op", str(error)) from error
    if asked.base is not None and not method.uses_base:
        raise RecipeRefused(f"{path}.base", f"{asked.op} takes no base")
    inputs = [completed(part, find, f"{path}.inputs.{index}") for index, part in enumerate(asked.inputs)]
    return MergeNode(
        op=asked.op,
        inputs=inputs,
        base=completed(asked.base, find, f"{path}.base") if asked.base is not None else None,
        parameters=filled(asked.op, asked.parameters, path),
        by_tensor=differing(asked.op, asked.by_tensor, len(inputs), path),
        seed=asked.seed if method.random else 0,
    )
