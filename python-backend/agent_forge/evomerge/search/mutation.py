"""How a genome of the tournament changes. Pure: no tensor, no clock, no state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from ...contract.evomerge import EvoMergeSettings
from ..layers import GROUPS
from .chance import chance, derived_seed
from .genome import First, Genome, GroupWeights, Third, second_stage_ops

STAGES = ("first", "second", "third")
WEIGHT_STEP, WEIGHT_RATE = 0.25, 0.4
PARENT_STEP, PARENT_RATE = 0.5, 0.2
"""For one parent's weights in all layer groups together: by single weights alone no parent is ever left out."""
SCALE_STEP = 0.15
REDRAW_RATE = 0.15
"""For density, dfs temperature and each block's source."""
SWITCH_RATE = 0.1
"""For each stage's op."""
POLISHED_SIZE = 0.3
"""Size of the mutations of a polished genome, relative to others: far steps lead away from what the gradient found."""
DENSITIES = [round(0.05 * step, 2) for step in range(1, 21)]
TEMPERATURES = [0.1, 0.25, 0.5, 1.0, 2.0]
WEIGHT_RANGE = (0.0, 2.0)
SCALE_RANGE = (0.0, 3.0)


@dataclass(frozen=True)
class Scheme:
    """What stays the same over a run."""

    settings: EvoMergeSettings
    parents: tuple[str, ...]
    """Model ids."""
    depth: int

    @property
    def pool(self) -> list[str]:
        return second_stage_ops(self.settings.ops, len(self.parents) + 1)

    @property
    def noisy(self) -> bool:
        return self.settings.mutation_rate > 0 and self.settings.mutation_sigma > 0


def mutated(genome: Genome, scheme: Scheme, generation: int, slot: int, size: float) -> Genome:
    """A genome with changed parameters, sometimes another op, and fresh noise on the weights.

    size: of the steps, and of the odds of everything that is drawn anew.
    """
    if genome.polish is not None:
        size *= POLISHED_SIZE
    seed, drawn = scheme.settings.seed, chance(scheme.settings.seed, generation, slot, "mutation")
    sources = [
        layer_source(drawn, len(scheme.parents)) if drawn.random() < size * REDRAW_RATE else source
        for source in genome.layer_sources
    ]
    changed = genome.model_copy(
        update={
            "first_weights": _shaken(genome.first_weights, drawn, size),
            "second_weights": _shaken(genome.second_weights, drawn, size),
            "third_weights": _shaken(genome.third_weights, drawn, size),
            "scale": _clipped(genome.scale + size * SCALE_STEP * drawn.standard_normal(), SCALE_RANGE),
            "density": float(drawn.choice(DENSITIES)) if drawn.random() < size * REDRAW_RATE else genome.density,
            "temperature": float(drawn.choice(TEMPERATURES))
            if drawn.random() < size * REDRAW_RATE
            else genome.temperature,
            "layer_sources": sources,
            "noise_seed": derived_seed(seed, generation, slot, "noise") if scheme.noisy else None,
        }
    )
    for stage in STAGES:
        if drawn.random() < size * SWITCH_RATE:
            changed = _switched(changed, stage, scheme, drawn)
    return changed


def averaged(genomes: Sequence[Genome], scheme: Scheme, generation: int, slot: int) -> Genome:
    """One op, drawn from the enabled ones, with the mean of some genomes' parameters.

    Without the outer stages: deep recipes are hard to improve, and these are where short ones come from.
    """
    drawn = chance(scheme.settings.seed, generation, slot, "chaos")

    def one() -> Genome:
        return genomes[int(drawn.integers(len(genomes)))]

    return Genome(
        first=None,
        first_weights=_mean([genome.first_weights for genome in genomes]),
        second=str(drawn.choice(scheme.pool)) if scheme.pool else one().second,
        second_weights=_mean([genome.second_weights for genome in genomes]),
        density=round(float(np.mean([genome.density for genome in genomes])), 2),
        scale=round(float(np.mean([genome.scale for genome in genomes])), 6),
        third=None,
        third_weights=_mean([genome.third_weights for genome in genomes]),
        layer_sources=[one().layer_sources[layer] for layer in range(scheme.depth)],
        temperature=one().temperature,
        mask_seed=derived_seed(scheme.settings.seed, generation, slot, "mask"),
        noise_seed=None,
    )


def drawn_anew(scheme: Scheme, generation: int, slot: int) -> Genome:
    """One op over the parents, its parameters random."""
    seed, parents = scheme.settings.seed, len(scheme.parents)
    drawn = chance(seed, generation, slot, "reseed")

    def weights(count: int) -> GroupWeights:
        return {group: [round(float(drawn.uniform(0.25, 1.5)), 6) for _ in range(count)] for group in GROUPS}

    return Genome(
        first=None,
        first_weights=weights(parents),
        second=str(drawn.choice(scheme.pool or ["linear"])),
        second_weights=weights(parents + 1),
        density=float(drawn.choice(DENSITIES)),
        scale=round(float(drawn.uniform(0.5, 1.5)), 6),
        third=None,
        third_weights=weights(parents + 1),
        layer_sources=[layer_source(drawn, parents) for _ in range(scheme.depth)],
        temperature=1.0,
        mask_seed=derived_seed(seed, generation, slot, "mask"),
        noise_seed=None,
    )


def alone(scheme: Scheme, parent: int) -> Genome:
    """One parent as it is, but for the rounding of θ₀ + τ: its children add to it what the others know."""
    return plain(scheme, [1.0 if other == parent else 0.0 for other in range(len(scheme.parents))])


def plain(scheme: Scheme, weights: Sequence[float]) -> Genome:
    """A sum of task vectors, everything else left out. weights: of each parent."""
    pool, parents = scheme.pool, len(scheme.parents)
    return Genome(
        first=None,
        first_weights=even(parents),
        second="task_arithmetic" if "task_arithmetic" in pool or not pool else pool[0],
        second_weights={group: [*weights, 0.0] for group in GROUPS},
        density=1.0,
        scale=1.0,
        third=None,
        third_weights=even(parents + 1),
        layer_sources=[0] * scheme.depth,
        temperature=1.0,
        mask_seed=derived_seed(scheme.settings.seed, 0, 0, "plain"),
        noise_seed=None,
    )


def _switched(genome: Genome, stage: str, scheme: Scheme, drawn: np.random.Generator) -> Genome:
    """Another op in this stage; an outer stage may also be left out."""
    enabled = set(scheme.settings.ops)
    choices: dict[str, list[str | None]] = {
        "first": [None, *get_args(First)],
        "second": list(scheme.pool),
        "third": [None, *get_args(Third)],
    }
    others = [
        op for op in choices[stage] if op != getattr(genome, stage) and (op is None or not enabled or op in enabled)
    ]
    return genome.model_copy(update={stage: others[int(drawn.integers(len(others)))]}) if others else genome


def even(count: int) -> GroupWeights:
    return {group: [1.0] * count for group in GROUPS}


def layer_source(drawn: np.random.Generator, parents: int) -> int:
    """The second stage in half of the cases, else a parent."""
    return 0 if drawn.random() < 0.5 else 1 + int(drawn.integers(parents))


def _clipped(value: float, limits: tuple[float, float]) -> float:
    # six decimals: keeps recipes short, and the last digit of a libm out of them
    return round(float(min(max(value, limits[0]), limits[1])), 6)


def _shaken(weights: GroupWeights, drawn: np.random.Generator, size: float) -> GroupWeights:
    count = len(next(iter(weights.values())))
    together = [
        size * PARENT_STEP * drawn.standard_normal() if drawn.random() < PARENT_RATE else 0.0 for _ in range(count)
    ]
    shaken = {
        group: [
            _clipped(
                weight
                + shift
                + (size * WEIGHT_STEP * drawn.standard_normal() if drawn.random() < WEIGHT_RATE else 0.0),
                WEIGHT_RANGE,
            )
            for weight, shift in zip(row, together, strict=True)
        ]
        for group, row in weights.items()
    }
    return _usable(shaken)


def _mean(all_weights: Sequence[GroupWeights]) -> GroupWeights:
    return {
        group: [
            round(float(np.mean(column)), 6)
            for column in zip(*(weights[group] for weights in all_weights), strict=True)
        ]
        for group in GROUPS
    }


def _usable(weights: GroupWeights) -> GroupWeights:
    """A mean needs a weight: where a group's are all 0, they become 1. The last one may be a stage left out."""
    return {group: row if sum(row[:-1]) > 0.01 else [1.0] * len(row) for group, row in weights.items()}
