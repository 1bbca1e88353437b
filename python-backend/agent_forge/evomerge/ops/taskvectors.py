"""Merges about a base: task vectors τᵢ = θᵢ − θ₀, of which some entries are kept, then summed or put to a vote.

One loop over the entries, in float64. What is known of each input comes as a tuple (`filled`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from .chunks import made, row_shape
from .compiled import BLOCK, Array, Factors, Inputs, filled, kernel
from .draw import LEVELS, Draw
from .philox import GROUP, Words, fill_group
from .registry import Shares, each

Band = tuple[float, float]
"""Magnitudes [least, above), float32."""
EVERYTHING: Band = (0.0, np.inf)

Levels = npt.NDArray[np.uint16]
Ranks = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
"""Of a row's entries by magnitude, the smallest first, (rows · columns,)."""
Ranking = Callable[[int, Array, Array, int], Ranks]
"""(index of an input, its entries, the base's, number of the first of them) of whole rows → their ranks."""


@dataclass(frozen=True)
class Outcome:
    """What the task vectors become: θ₀ + λ·Σ wᵢτᵢ; or, elected, the mean or the sum of those that agree.

    Elected: the sign of Σ wᵢτᵢ per entry, then Σ wᵢτᵢ / Σ|wᵢ| over the inputs whose wᵢτᵢ has it (Yadav et al. 2023,
    algorithm 1, steps 2 and 3), or without `normalize` the sum itself. 0 where no sign is elected; mergekit elects +
    where the sum is exactly 0, which has no basis in the paper.
    """

    weights: Sequence[float]
    scale: float
    elected: bool = False
    normalize: bool = True
    kept: Sequence[float] = ()
    """What each task vector is divided by; nothing: they stay as they are."""

    def kernel_arguments(self) -> tuple[Factors, Factors | None, float]:
        """The weights, and what a sum is divided by of them where a sign is elected: None leaves the election out of
        the compiled loop, and by nothing at all it is left as it is."""
        plain = [float(weight) for weight in self.weights]
        factors = [weight / kept for weight, kept in zip(plain, self.kept, strict=True)] if self.kept else plain
        sizes = [abs(weight) if self.normalize else 0.0 for weight in plain]
        return filled(factors, 0.0), filled(sizes, 0.0) if self.elected else None, float(self.scale)


def banded(models: Sequence[Tensor], base: Tensor, bands: Sequence[Band], outcome: Outcome) -> Tensor:
    """Of each task vector the entries whose magnitude lies in its band."""
    merge = outcome.kernel_arguments()
    limits = filled([(_edge(least), _edge(above)) for least, above in bands], (0.0, 0.0))

    def fill(out: Array, arrays: Inputs, first: int) -> None:
        inputs, origin = about(arrays)
        _banded(out, inputs, origin, *merge, limits)

    return made([*models, base], fill)


def about(arrays: Inputs) -> tuple[Inputs, Array]:
    """The models', `filled`, and the base's, which come last."""
    *models, base = arrays
    return filled(models, models[0]), base


def dropped(
    models: Sequence[Tensor], base: Tensor, streams: Sequence[Words], drop_rates: Sequence[float], outcome: Outcome
) -> Tensor:
    """Each entry is dropped with its input's probability, to 2⁻¹⁷: entry i where the 16-bit integer number i of the
    input's stream is below. Those of a rate of 1 are all dropped."""
    merge = outcome.kernel_arguments()
    keys, thresholds = np.stack(streams), filled([round(rate * LEVELS) for rate in drop_rates], LEVELS)

    def fill(out: Array, arrays: Inputs, first: int) -> None:
        inputs, origin = about(arrays)
        _dropped(out, inputs, origin, *merge, keys, thresholds, first)

    return made([*models, base], fill)


def rescaled(
    models: Sequence[Tensor],
    base: Tensor,
    draw: Draw,
    weights: Sequence[float],
    drop_rate: Shares,
    scale: float,
    *,
    elected: bool = False,
    normalize: bool = True,
) -> Tensor:
    """Drop and rescale, as DARE does: what stays of each task vector is divided by 1 − its drop rate."""
    rates = each(drop_rate, len(models))
    if min(rates) == 1:
        return base
    streams = [draw.stream(index) for index in range(len(models))]
    if min(rates) == max(rates):
        # one factor outside of the sum, as it always was: the last digit of others would differ
        outcome = Outcome(weights, scale / (1 - rates[0]), elected, normalize)
    else:
        # what is dropped as a whole is divided by 1
        outcome = Outcome(weights, scale, elected, normalize, kept=[1 - rate if rate < 1 else 1.0 for rate in rates])
    return dropped(models, base, streams, rates, outcome)


def pruned(
    models: Sequence[Tensor],
    base: Tensor,
    ranking: Ranking,
    streams: Sequence[Words],
    kept: Sequence[tuple[float, float]],
    outcome: Outcome,
) -> Tensor:
    """Each entry is kept with a probability that rises evenly with its rank, to 2⁻¹⁷, and divided by it.

    kept: of each input, from the smallest entry of a row to the largest; a lone entry has the mean.
    """
    merge, keys, columns = outcome.kernel_arguments(), np.stack(streams), row_shape(base)[1]
    if columns == 1:
        kept = [((least + most) / 2,) * 2 for least, most in kept]
    slopes = filled([(least, (most - least) / max(1, columns - 1)) for least, most in kept], (0.0, 0.0))

    def fill(out: Array, arrays: Inputs, first: int) -> None:
        found = [ranking(index, arrays[index], arrays[-1], first) for index in range(len(models))]
        inputs, origin = about(arrays)
        _pruned(out, inputs, origin, *merge, keys, filled(found, found[0]), slopes, first)

    return made([*models, base], fill, columns=columns)


def _edge(size: float) -> float:
    """The least float64 that is `size` or more when it is rounded to float32."""
    if size in (0, np.inf):
        return float(size)
    edge = np.float32(size)
    middle = (float(np.nextafter(edge, np.float32(0))) + float(edge)) / 2
    return middle if np.float32(middle) >= edge else float(np.nextafter(middle, np.inf))


@kernel
def _banded(
    out: Array,
    models: Inputs,
    base: Array,
    weights: Factors,
    sizes: Factors | None,
    scale: float,
    limits: tuple[Band, ...],
) -> None:
    for i in range(len(out)):
        at, total, agreed, size = np.uint64(i), 0.0, 0.0, 0.0
        origin = np.float64(base[at])
        for j in range(len(models)):
            total += _inside(np.float64(models[j][at]) - origin, weights[j], limits[j])
        if sizes is not None:
            sign = 1.0 if total > 0 else -1.0
            for j in range(len(models)):
                part = sign * _inside(np.float64(models[j][at]) - origin, weights[j], limits[j])
                agreed += part if part > 0 else 0.0
                size += sizes[j] if part > 0 else 0.0
            total = _elected(total, sign, agreed, size)
        out[at] = origin + total * scale


@kernel
def _inside(delta: float, weight: float, band: Band) -> float:
    return delta * weight if (abs(delta) >= band[0]) & (abs(delta) < band[1]) else 0.0


@kernel
def _dropped(
    out: Array,
    models: Inputs,
    base: Array,
    weights: Factors,
    sizes: Factors | None,
    scale: float,
    keys: Words,
    thresholds: tuple[int, ...],
    start: int,
) -> None:
    """start: number of the first entry, a multiple of BLOCK."""
    drawn = np.zeros(len(models) * GROUP, dtype=np.uint32)
    for first in range(0, len(out), BLOCK):
        levels = _draw(drawn, keys, start + first)
        for i in range(min(BLOCK, len(out) - first)):
            at, total, agreed, size = np.uint64(first + i), 0.0, 0.0, 0.0
            origin = np.float64(base[at])
            for j in range(len(models)):
                total += _spared(
                    np.float64(models[j][at]) - origin, weights[j], levels[np.uint64(j * BLOCK + i)], thresholds[j]
                )
            if sizes is not None:
                sign = 1.0 if total > 0 else -1.0
                for j in range(len(models)):
                    part = sign * _spared(
                        np.float64(models[j][at]) - origin, weights[j], levels[np.uint64(j * BLOCK + i)], thresholds[j]
                    )
                    agreed += part if part > 0 else 0.0
                    size += sizes[j] if part > 0 else 0.0
                total = _elected(total, sign, agreed, size)
            out[at] = origin + total * scale


@kernel
def _draw(drawn: Words, keys: Words, first: int) -> Levels:
    """Of each input, the integers of the block that begins at `first`, (inputs · BLOCK,); fillers keep zeros."""
    for j in range(len(keys)):
        fill_group(drawn[j * GROUP : (j + 1) * GROUP], keys[j], first // BLOCK)
    return drawn.view(np.uint16)


@kernel
def _spared(delta: float, weight: float, level: int, threshold: int) -> float:
    return delta * weight if np.int32(level) >= np.int32(threshold) else 0.0


@kernel
def _pruned(
    out: Array,
    models: Inputs,
    base: Array,
    weights: Factors,
    sizes: Factors | None,
    scale: float,
    keys: Words,
    ranks: tuple[Ranks, ...],
    slopes: tuple[tuple[float, float], ...],
    start: int,
) -> None:
    """start: number of the first entry."""
    drawn = np.zeros(len(models) * GROUP, dtype=np.uint32)
    # rows end anywhere in a block
    skipped = start % BLOCK
    for first in range(-skipped, len(out), BLOCK):
        levels = _draw(drawn, keys, start + first)
        for i in range(max(0, -first), min(BLOCK, len(out) - first)):
            at, total, agreed, size = np.uint64(first + i), 0.0, 0.0, 0.0
            origin = np.float64(base[at])
            for j in range(len(models)):
                kept, level = slopes[j][0] + np.float64(ranks[j][at]) * slopes[j][1], levels[np.uint64(j * BLOCK + i)]
                total += _rescaled(np.float64(models[j][at]) - origin, weights[j], level, kept)
            if sizes is not None:
                sign = 1.0 if total > 0 else -1.0
                for j in range(len(models)):
                    kept, level = (
                        slopes[j][0] + np.float64(ranks[j][at]) * slopes[j][1],
                        levels[np.uint64(j * BLOCK + i)],
                    )
                    part = sign * _rescaled(np.float64(models[j][at]) - origin, weights[j], level, kept)
                    agreed += part if part > 0 else 0.0
                    size += sizes[j] if part > 0 else 0.0
                total = _elected(total, sign, agreed, size)
            out[at] = origin + total * scale


@kernel
def _rescaled(delta: float, weight: float, level: int, kept: float) -> float:
    weighed = delta / (kept if kept > 0 else 1.0) * weight
    return weighed if np.float64(level) < np.rint(kept * LEVELS) else 0.0


@kernel
def _elected(total: float, sign: float, agreed: float, size: float) -> float:
    """The mean of the wᵢτᵢ that have the sign of their sum. agreed: Σ|wᵢτᵢ| over them; size: Σ|wᵢ|."""
    return agreed / (size if size > 0 else 1.0) * sign if total != 0 else 0.0
