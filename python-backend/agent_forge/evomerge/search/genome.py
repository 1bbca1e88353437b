"""What evolution changes: three optional stages with their parameters, and the recipe that they stand for.

    first     linear | slerp of the parents
    second    any op that takes weights, over the parents and the first stage, about θ₀
    third     frankenmerge | dfs over the second stage and the parents
    polish    weights of what these gave and of the parents, tensor by tensor
    noise     mutate

A genome never holds another one, so a recipe keeps the same few nodes over any number of generations.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ...contract.base import Seed
from ...contract.recipe import MergeNode, Recipe
from ..merge_methods import merge_method, weighing
from ..recipe.frame import Frame
from ..recipe.tree import node

First = Literal["linear", "slerp"]
Third = Literal["frankenmerge", "dfs"]
GroupWeights = dict[str, list[float]]
TensorWeights = dict[str, list[float]]


class Genome(BaseModel):
    """Every stage has all its parameters, also while it is left out: so genomes of different form can be averaged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: First | None
    first_weights: GroupWeights
    """Layer group → weight per parent."""
    second: str
    second_weights: GroupWeights
    """Layer group → weight per parent, then the first stage's."""
    density: float
    """Also 1 − drop rate."""
    scale: float
    third: Third | None
    third_weights: GroupWeights
    """Of dfs. Layer group → weight of the second stage, then per parent."""
    layer_sources: list[int]
    """Of frankenmerge. 0 is the second stage, then the parents."""
    temperature: float
    """Of dfs."""
    mask_seed: Seed
    noise_seed: Seed | None
    """Null: no noise on the weights."""
    polish: TensorWeights | None = None
    """Tensor → weight of the third stage's result, then per parent; null: never polished."""

    @property
    def op(self) -> str:
        """The op at the root, below the noise."""
        return self.third or self.second


def express(genome: Genome, frame: Frame) -> MergeNode:
    """The recipe of a genome, every parameter filled in."""
    root = unpolished(genome, frame)
    if genome.polish is not None:
        root = polished(root, genome.polish, frame)
    if genome.noise_seed is not None:
        root = node("mutate", [root], seed=genome.noise_seed, rate=frame.mutation_rate, sigma=frame.mutation_sigma)
    return root


def polished(root: Recipe, weights: TensorWeights, frame: Frame) -> MergeNode:
    """weights: tensor → weight of root, then per parent."""
    return node("task_arithmetic", [root, *frame.parents], frame.origin, weights=weights)


def unpolished(genome: Genome, frame: Frame) -> MergeNode:
    """The recipe up to its third stage."""
    parents: list[Recipe] = frame.parents
    inputs, weights = parents, {group: row[: len(parents)] for group, row in genome.second_weights.items()}
    if genome.first is not None:
        first = node(genome.first, parents, weights=genome.first_weights)
        inputs, weights = [*parents, first], genome.second_weights
    root = one_op(genome.second, inputs, frame, weights, genome.density, genome.scale, genome.mask_seed)
    if genome.third == "frankenmerge":
        root = node("frankenmerge", [root, *parents], layer_sources=genome.layer_sources)
    elif genome.third == "dfs":
        root = node(
            "dfs",
            [root, *parents],
            weights=genome.third_weights,
            temperature=genome.temperature,
            calibration=frame.calibration,
        )
    return root


def one_op(
    op: str,
    inputs: list[Recipe],
    frame: Frame,
    weights: GroupWeights,
    density: float,
    scale: float,
    mask_seed: int,
    **others: Any,
) -> MergeNode:
    """An op over inputs, about θ₀ where it works on task vectors.

    weights: layer group → weight per input; density: also 1 − drop rate; scale: λ; mask_seed: of random masks;
    others: parameters that differ from their defaults. An op takes those that it has.
    """
    return node(
        op,
        inputs,
        base=frame.origin,
        seed=mask_seed,
        weights=weights,
        density=density,
        drop_rate=round(1 - density, 6),
        scale=scale,
        calibration=frame.calibration,
        **others,
    )


def second_stage_ops(enabled: list[str], inputs: int) -> list[str]:
    """Methods that can stand in the middle: weighted per input, for as many inputs. enabled empty: all of them.

    Raises `UnknownOp`.
    """
    for name in enabled:
        merge_method(name)
    return [name for name in weighing(inputs - 1, inputs) if name != "dfs" and (not enabled or name in enabled)]
