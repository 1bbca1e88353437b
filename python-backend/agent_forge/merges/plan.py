"""From a request to all that is settled before its run: recipe, models, result. Free of torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from ..contract.merge import MergeConfig, MergePlan
from ..contract.model import Model
from ..contract.recipe import Leaf, MergeNode, Recipe
from ..evomerge.recipe.tree import nodes
from ..registry.header import TensorSpec
from .alike import differences
from .asked import completed
from .chat_template import why_not
from .configuration import ModelReference
from .conversion import Merge, read
from .conversion import Model as Known
from .errors import ConfigurationRefused, RecipeRefused
from .outline import Outline, outline
from .result import architecture_of
from .vocabulary import Row, Source, Wanted, adapters, aligned


class Library(Protocol):
    """The registered models."""

    def find(self, model_id: str) -> Model | None: ...

    def named(self, reference: ModelReference) -> Model:
        """Raises `LookupError`, whose text says what was looked for."""

    def specs(self, model: Model) -> Mapping[str, TensorSpec]:
        """Names, types and shapes of its tensors. Raises what a file that is gone or damaged does."""

    def known(self, model: Model) -> Known: ...


def planned(config: MergeConfig, library: Library, name: str) -> tuple[MergePlan, Outline]:
    """name: of the model, where the request gives none. Raises `ConfigurationRefused`, `RecipeRefused`."""
    if config.configuration is not None:
        merge = read(config.configuration, lambda one: library.known(library.named(one)), seed=config.seed)
        recipe, donor = merge.recipe, library.named(merge.donor)
    else:
        assert config.recipe is not None  # noqa: S101 - one of the two is there
        merge, recipe = None, completed(config.recipe, lambda one: _leaf(library, one))
        donor = _of(library, _donor(recipe).model_id)
    models = {leaf.model_id: _of(library, leaf.model_id) for _, leaf in leaves(recipe)}
    _check_alike([donor, *(model for key, model in models.items() if key not in adapters(recipe))], recipe)
    based = merge.based if merge is not None else isinstance(recipe, MergeNode) and recipe.base is not None
    wanted = Wanted(
        _source(config, merge, library),
        based=based,
        tokens=_tokens(merge, library),
        multiple_of=merge.pad_to_multiple_of if merge is not None else 1,
    )
    found = aligned(recipe, list(models.values()), donor, wanted)
    made = outline(found.recipe, lambda leaf: library.specs(models[leaf.model_id]))
    plan = MergePlan(
        name=config.name or name,
        recipe=found.recipe,
        architecture=architecture_of(made, donor, models.__getitem__),
        donor_id=donor.id,
        tokenizer_id=found.tokenizer.id if found.tokenizer is not None else None,
        chat_template=_template(config, merge),
        max_shard_size=config.max_shard_size,
        configuration=config.configuration,
    )
    return plan, made


def leaves(recipe: Recipe, path: str = "recipe") -> Iterator[tuple[str, Leaf]]:
    """Each with its path in a request."""
    if isinstance(recipe, Leaf):
        yield path, recipe
        return
    for index, part in enumerate(recipe.inputs):
        yield from leaves(part, f"{path}.inputs.{index}")
    if recipe.base is not None:
        yield from leaves(recipe.base, f"{path}.base")


def _leaf(library: Library, model_id: str) -> Leaf | None:
    model = library.find(model_id)
    return None if model is None else Leaf(model_id=model.id, digest=model.digest)


def _of(library: Library, model_id: str) -> Model:
    found = library.find(model_id)
    if found is None:
        raise RecipeRefused("recipe", f"{model_id} is not a registered model")
    return found


def _donor(recipe: Recipe) -> Leaf:
    """Of the base, else of the first input."""
    while not isinstance(recipe, Leaf):
        recipe = recipe.base or recipe.inputs[0]
    return recipe


def _check_alike(models: list[Model], recipe: Recipe) -> None:
    for model, how in differences(models):
        path = next(path for path, leaf in leaves(recipe) if leaf.model_id == model.id)
        raise RecipeRefused(path, how)


def _source(config: MergeConfig, merge: Merge | None, library: Library) -> Source:
    reference = merge.tokenizer_source if merge is not None else None
    if config.tokenizer_source is not None:
        reference = ModelReference(config.tokenizer_source)
    if reference is None:
        return None
    if reference.path in ("base", "union") and reference.revision is None:
        return "base" if reference.path == "base" else "union"
    try:
        return library.named(reference)
    except LookupError as error:
        message = f"{str(reference)!r}: {error.args[0]}"
        if reference.line:
            raise ConfigurationRefused(reference.line, "tokenizer_source", message) from error
        raise RecipeRefused("tokenizer_source", message) from error


def _tokens(merge: Merge | None, library: Library) -> dict[str, Row]:
    found = {}
    for token, source in (merge.tokens if merge is not None else {}).items():
        try:
            model = library.named(source.model) if source.model is not None else None
        except LookupError as error:
            raise ConfigurationRefused(source.line, "tokenizer.tokens", f"{token!r}: {error.args[0]}") from error
        found[token] = Row(model, source.token, source.id, source.force)
    return found


def _template(config: MergeConfig, merge: Merge | None) -> str | None:
    if config.chat_template is None:
        return merge.chat_template if merge is not None else None
    reason = why_not(config.chat_template)
    if reason is not None:
        raise RecipeRefused("chat_template", reason)
    return config.chat_template


def needed(plan: MergePlan) -> set[str]:
    """Ids of the models that its run reads."""
    used = {one.model_id for one in nodes(plan.recipe) if isinstance(one, Leaf)}
    return {*used, plan.donor_id, *([plan.tokenizer_id] if plan.tokenizer_id is not None else [])}
