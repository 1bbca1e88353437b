"""Whose tokens the result's rows are of. Rows of embeddings are merged by id: they mean the same where vocabularies are
one. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..contract.architecture import CausalLM
from ..contract.model import Model
from ..contract.recipe import Leaf, MergeNode, Recipe
from ..evomerge.recipe.tree import node, nodes
from .errors import RecipeRefused
from .export import ALIGN


@dataclass(frozen=True)
class Vocabulary:
    """recipe: all rows of one vocabulary. tokenizer: the model whose tokenizer that is, or, where tokens of others are
    added, begins with; None: there is none."""

    recipe: Recipe
    tokenizer: Model | None


Source = Model | Literal["base", "union"] | None
"""Whose tokenizer is wanted; None: the donor's, which all must have."""


@dataclass(frozen=True)
class Row:
    """Where the row of a token comes from; model None: zeros."""

    model: Model | None
    token: str | None
    id: int | None
    force: bool


@dataclass(frozen=True)
class Wanted:
    source: Source
    based: bool = False
    """Whether the donor is a base."""
    tokens: Mapping[str, Row] = field(default_factory=dict)
    multiple_of: int = 1


def aligned(recipe: Recipe, models: Sequence[Model], donor: Model, wanted: Wanted) -> Vocabulary:
    """The recipe, its models aligned where their vocabularies or rows are not what is wanted. models: those of the
    recipe. donor: the base, or the first.

    Raises `RecipeRefused` where they differ and no source is named, and where they cannot be aligned.
    """
    chosen = wanted.source if isinstance(wanted.source, Model) else donor
    models = [model for model in models if model.id not in adapters(recipe)]
    having = [model for model in [chosen, *models] if model.tokenizer is not None]
    if not having or any(one.op == ALIGN for one in nodes(recipe) if isinstance(one, MergeNode)):
        return Vocabulary(recipe, having[0] if having else None)
    other = next((model for model in models if _identity(model) not in (None, _identity(having[0]))), None)
    if wanted.source is None:
        if other is not None:
            raise RecipeRefused(
                "tokenizer_source",
                f"{_named(other)} and {_named(having[0])} have different vocabularies, whose rows cannot be merged by "
                "id: set `tokenizer_source` to `union`, `base` or one of the models, which aligns them by token",
            )
        return Vocabulary(recipe, having[0])
    first = next((model for model in models if model.id == donor.id), models[0])
    order = [first, *(model for model in models if model is not first)]
    target = -1 if wanted.source == "union" else 0
    if isinstance(wanted.source, Model):
        target = next((index for index, model in enumerate(order) if model.id == chosen.id), -2)
        if target == -2 and (other is not None or wanted.tokens):
            raise RecipeRefused("tokenizer_source", f"{chosen.name} is none of the models that are merged")
    plain = not wanted.tokens and wanted.multiple_of == 1
    if plain and other is None and (target == -2 or all(map(_is_filled, models))):
        return Vocabulary(recipe, having[0])
    settings = {
        "of": [_digest(model) for model in order],
        "target": target,
        "based": wanted.based and first.id == donor.id,
        "tokens": {token: _row(token, row, order) for token, row in wanted.tokens.items()},
        "multiple_of": wanted.multiple_of,
    }
    if adapters(recipe):
        raise RecipeRefused("recipe", "an adapter is merged onto its base by itself, before vocabularies are aligned")
    leaves = [Leaf(model_id=model.id, digest=model.digest) for model in order]
    return Vocabulary(_wrapped(recipe, leaves, settings), order[max(target, 0)])


def adapters(recipe: Recipe) -> set[str]:
    """Ids of the adapters in it, which are no models of their own."""
    merges = [one for one in nodes(recipe) if isinstance(one, MergeNode) and one.op == "lora"]
    return {part.model_id for one in merges for part in one.inputs[1:] if isinstance(part, Leaf)}


def _wrapped(recipe: Recipe, leaves: list[Leaf], settings: Mapping[str, Any]) -> Recipe:
    if isinstance(recipe, Leaf):
        index = next(index for index, leaf in enumerate(leaves) if leaf.model_id == recipe.model_id)
        return node(ALIGN, list(leaves), index=index, **settings)
    inputs = [_wrapped(part, leaves, settings) for part in recipe.inputs]
    base = _wrapped(recipe.base, leaves, settings) if recipe.base is not None else None
    return recipe.model_copy(update={"inputs": inputs, "base": base})


def _row(token: str, row: Row, order: Sequence[Model]) -> dict[str, Any]:
    found: dict[str, Any] = {"force": True} if row.force else {}
    if row.model is not None:
        ids = [model.id for model in order]
        if row.model.id not in ids:
            raise RecipeRefused(
                "tokenizer.tokens", f"{token!r}: {row.model.name} is none of the models that are merged"
            )
        found["input"] = ids.index(row.model.id)
    if row.token is not None:
        found["token"] = row.token
    if row.id is not None:
        found["id"] = row.id
    return found


def _digest(model: Model) -> str:
    if model.folder is None or model.tokenizer is None or model.tokenizer.vocabulary is None:
        raise RecipeRefused("tokenizer_source", f"{model.name} has no tokenizer.json that tokens could be read from")
    return model.tokenizer.vocabulary


def _is_filled(model: Model) -> bool:
    """Whether its embedding has a row for each token and no other."""
    rows = model.architecture.vocab_size if isinstance(model.architecture, CausalLM) else None
    return model.tokenizer is None or rows == model.tokenizer.tokens


def _identity(model: Model) -> str | None:
    return None if model.tokenizer is None else model.tokenizer.vocabulary or model.tokenizer.sha256


def _named(model: Model) -> str:
    rows = f", {model.architecture.vocab_size} rows" if isinstance(model.architecture, CausalLM) else ""
    tokens = model.tokenizer.tokens if model.tokenizer is not None else None
    return f"{model.name} ({tokens if tokens is not None else 'unknown'} tokens{rows})"
