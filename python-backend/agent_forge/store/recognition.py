"""What a model that came here says that it was made of, by the models that are registered here."""

from __future__ import annotations

from sqlalchemy import Connection

from ..contract.recipe import Recipe
from ..registry.leaves import leaves
from ..registry.recognised import recognised
from . import model_rows


def recognised_here(connection: Connection, told: Recipe) -> tuple[Recipe, list[str]]:
    """The recipe with the ids that models of these digests have here, and those ids, each once."""
    recipe = recognised(told, lambda digest: model_rows.of_digest(connection, digest))
    ids = list(dict.fromkeys(leaf.model_id for leaf in leaves(recipe)))
    there = model_rows.find_many(connection, ids)
    return recipe, [model_id for model_id in ids if model_id in there]
