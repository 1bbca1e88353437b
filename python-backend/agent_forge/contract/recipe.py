"""Recipes: expression trees whose leaves are registered models and whose nodes are merge ops.

A recipe and the digests of its leaves determine the bytes of the model that it makes.
"""

from __future__ import annotations

import operator
from typing import Annotated, Any, Literal

from pydantic import Field

from .architecture import TinyTitan
from .base import Digest, Resource, Seed


class Leaf(Resource):
    """A registered model, named by id and pinned by digest."""

    kind: Literal["model"] = "model"
    model_id: str
    digest: Digest


class MergeNode(Resource):
    """One merge op applied to the results of other recipes."""

    kind: Literal["merge"] = "merge"
    op: str
    """Name of a merge method, see `GET /v1/merge-methods`."""
    inputs: list[Recipe]
    base: Recipe | None = None
    """θ₀ for ops on task vectors; null means the mean of the inputs."""
    parameters: dict[str, Any] = {}
    """The op's own parameters, all of them, defaults filled in."""
    by_tensor: dict[str, dict[str, Any]] = Field(default={}, exclude_if=operator.not_)
    """Where a parameter differs: the name of a tensor, or `*` for all → parameter → its value there. That of `density`,
    `drop_rate`, `gamma`, and `epsilon` of della, may be a list, one number for each input."""
    seed: Seed = 0
    """Key of the node's counter-based random numbers; unused by deterministic ops."""


Recipe = Annotated[Leaf | MergeNode, Field(discriminator="kind")]


class TrainingOrigin(Resource):
    """How a trained model came to be: enough to train it again."""

    kind: Literal["trained"] = "trained"
    run_id: str
    stage: str
    """`foundation`, or the specialization."""
    seed: Seed
    steps: int
    architecture: TinyTitan
    config: dict[str, Any]
    """The run's whole cognate configuration, defaults filled in."""
    initial: Leaf | None = None
    """The foundation that training started from; null where weights were drawn from `seed`."""


class MergeOrigin(Resource):
    kind: Literal["merged"] = "merged"
    run_id: str | None = None
    """Null for an adapter that was brought onto its base, and for a model that was brought with its recipe."""
    candidate_id: str | None = None
    """Null for a merge that was asked for, not bred."""
    recipe: Recipe


class ImportOrigin(Resource):
    kind: Literal["imported"] = "imported"
    filename: str


Origin = Annotated[TrainingOrigin | MergeOrigin | ImportOrigin, Field(discriminator="kind")]

MergeNode.model_rebuild()
MergeOrigin.model_rebuild()
