"""One merge, asked for as a recipe or as a merge configuration: the request, what it comes to, and its forecast."""

from __future__ import annotations

import operator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from .architecture import Architecture
from .base import Count, Digest, Request, Resource, Seed
from .cognate import Resources, SecondsFrom
from .imports import MODEL_NAME
from .recipe import Recipe

MOST_CONFIGURATION = 256 * 2**10
"""Characters. The longest configurations that people share have some thousand lines."""
_MOST_TEMPLATE = 256 * 2**10


class AskedModel(Request):
    """A registered model."""

    kind: Literal["model"] = "model"
    model_id: str = Field(max_length=64, description="its id")
    digest: Digest | None = Field(default=None, description="refuse a model with another one; null: take it as it is")


class AskedMerge(Request):
    """As `MergeNode`; what is not given has the op's default."""

    kind: Literal["merge"] = "merge"
    op: str = Field(max_length=64, description="name of a merge method, see `GET /v1/merge-methods`")
    inputs: list[AskedRecipe] = Field(min_length=1, max_length=64, description="what is merged")
    base: AskedRecipe | None = Field(
        default=None, description="θ₀ for ops on task vectors; null: the mean of the inputs"
    )
    parameters: dict[str, Any] = Field(default={}, max_length=64, description="the op's own")
    by_tensor: dict[str, Annotated[dict[str, Any], Field(max_length=64)]] = Field(
        default={},
        max_length=2**16,
        exclude_if=operator.not_,
        description="where a parameter differs: the name of a tensor, or `*` for all → parameter → its value there",
    )
    seed: Seed = Field(default=0, description="key of random numbers; without effect on ops that draw none")


AskedRecipe = Annotated[AskedModel | AskedMerge, Field(discriminator="kind")]


class MergeConfig(Request):
    """Exactly one of `recipe` and `configuration`."""

    name: str | None = Field(default=None, pattern=MODEL_NAME, description="of the model; null: `merge_<run>`")
    recipe: AskedRecipe | None = Field(default=None, description="what is merged, and how")
    configuration: str | None = Field(
        default=None,
        max_length=MOST_CONFIGURATION,
        description="the same as a merge configuration of mergekit, its YAML as it is",
    )
    seed: Seed = Field(default=0, description="of a configuration's random merges")
    tokenizer_source: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="whose tokenizer the result has: `union` of all, `base`, or a model, by id or name; rows of "
        "embeddings are aligned to it by token. Null: what the configuration says, else that of the base, else of the "
        "first model, which all must share. For causal language models",
    )
    chat_template: str | None = Field(
        default=None,
        min_length=1,
        max_length=_MOST_TEMPLATE,
        description="`auto`: the one that most of the models have; else a template as Jinja; null: what the "
        "configuration says, else the tokenizer's own",
    )
    max_shard_size: Annotated[int, Field(ge=1024, le=2**50)] | None = Field(
        default=None,
        description="bytes of a file of weights at most, beyond which there are several and an index; a tensor that is "
        "larger has a file of its own; null: one file",
    )

    @model_validator(mode="after")
    def _asked_once(self) -> Self:
        if (self.recipe is None) == (self.configuration is None):
            raise ValueError("exactly one of recipe and configuration must be given")
        return self


class MergePlan(Resource):
    """What a request comes to, settled when the run was created: all that the worker needs."""

    name: str
    """Of the model."""
    recipe: Recipe
    architecture: Architecture | None
    """Of the result; null where that of its models is unknown."""
    donor_id: str
    """The model whose config the result has, and whose other documents."""
    tokenizer_id: str | None
    """The model whose tokenizer it has; null where the models have none."""
    chat_template: str | None
    """`auto`, a template, or null: the tokenizer's own."""
    max_shard_size: Count | None
    configuration: str | None
    """As it was sent; null where a recipe was."""


class MergeForecast(Resource):
    plan: MergePlan
    parameters: Count
    bytes: Count
    """Of the result's weights, as files."""
    files: Count
    """Of weights."""
    read_bytes: Count
    """Of the models that it is made from; each is read as often as the recipe takes it."""
    seconds: float | None
    seconds_from: SecondsFrom | None
    resources: Resources
    mergekit: str | None
    """The recipe as a merge configuration; null where mergekit has no words for it."""
    not_expressible: str | None
    """Why not."""


AskedMerge.model_rebuild()
MergeConfig.model_rebuild()
