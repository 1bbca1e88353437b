"""Whose tokens the result's rows are of. Rows of embeddings are merged by id: they mean the same where vocabularies are
one. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..contract.architecture import CausalLM
from ..contract.model import Model
from ..contract.recipe import Recipe
from .errors import RecipeRefused


@dataclass(frozen=True)
class Vocabulary:
    """recipe: all rows of one vocabulary. tokenizer: the model whose tokenizer that is; None: there is none."""

    recipe: Recipe
    tokenizer: Model | None


Source = Model | Literal["base", "union"] | None
"""Whose tokenizer is wanted; None: the donor's."""


def aligned(recipe: Recipe, models: Sequence[Model], donor: Model, source: Source) -> Vocabulary:
    """The recipe as it is where all vocabularies are one. models: those of the recipe. donor: the base, or the first.

    Raises `RecipeRefused` where they differ.
    """
    chosen = source if isinstance(source, Model) else donor
    having = [model for model in [chosen, *models] if model.tokenizer is not None]
    if not having:
        return Vocabulary(recipe, None)
    for model in models:
        if _identity(model) not in (None, _identity(having[0])):
            raise RecipeRefused(
                "tokenizer_source",
                f"{_named(model)} and {_named(having[0])} have different vocabularies, whose rows cannot be merged by "
                "id: take models of one vocabulary",
            )
    return Vocabulary(recipe, having[0])


def _identity(model: Model) -> str | None:
    return None if model.tokenizer is None else model.tokenizer.vocabulary or model.tokenizer.sha256


def _named(model: Model) -> str:
    rows = f", {model.architecture.vocab_size} rows" if isinstance(model.architecture, CausalLM) else ""
    tokens = model.tokenizer.tokens if model.tokenizer is not None else None
    return f"{model.name} ({tokens if tokens is not None else 'unknown'} tokens{rows})"
