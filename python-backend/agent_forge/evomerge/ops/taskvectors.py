"""Merges about a base: task vectors τᵢ = θᵢ − θ₀, of which some entries are kept, then summed or put to a vote.

One loop over the entries, in float64. What is known of each input comes as a tuple (`filled`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from .chunks import made, row_shape
from .compiled import BLOCK, Array, Factors, Inputs, filled, flat, kernel, many
from .draw import LEVELS
from .philox import GROUP, Words, fill_group

Band = tuple[float, float]
"""Magnitudes [least, above), float32."""
EVERYTHING: Band = (0.0, np.inf)

Levels = npt.NDArray[np.uint16]
Ranks = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
"""Of a row's entries by magnitude, the smallest first, (rows · columns,)."""


@dataclass(frozen=True)
class Outcome:
    """What the task vectors become: θ₀ + λ·Σ wᵢτᵢ; or, elected, the mean of those that agree.

    Elected: the sign of Σ wᵢτᵢ per entry, then Σ wᵢτᵢ / Σ|wᵢ| over the inputs whose wᵢτᵢ has it (Yadav et al. 2023,
    algorithm 1, steps 2 and 3). 0 where no sign is elected; mergekit elects + where the sum is exactly 0, which has
    no basis in the paper.
    """

    weights: Sequence[float]
    scale: float
    elected: bool = False

    def kernel_arguments(self) -> tuple[Factors, Factors | None, float]:
        """The weights, and their sizes where a sign is elected: None leaves the election out of the compiled loop."""
        weights = filled([float(weight) for weight in self.weights], 0.0)
        return weights, tuple(map(abs, weights)) if self.elected else None, float(self.scale)


def banded(models: Sequence[Tensor], base: Tensor, bands: Sequence[Band], outcome: Outcome) -> Tensor:
    """Of each task vector the entries whose magnitude lies in its band."""
    arrays, origin, merge = many(models), flat(base), outcome.kernel_arguments()
    limits = filled([(_edge(least), _edge(above)) for least, above in bands], (0.0, 0.0))
    return made(base, lambda out, start, stop: _banded(out, arrays, origin, *merge, limits, start, stop))


def dropped(
    models: Sequence[Tensor], base: Tensor, streams: Sequence[Words], drop_rate: float, outcome: Outcome
) -> Tensor:
    """Each entry is dropped with probability `drop_rate`, to 2⁻¹⁷: entry i where the 16-bit integer number i of its
    input's stream is below."""
    arrays, origin, merge = many(models), flat(base), outcome.kernel_arguments()
    keys, threshold = np.stack(streams), round(drop_rate * LEVELS)
    return made(base, lambda out, start, stop: _dropped(out, arrays, origin, *merge, keys, threshold, start, stop))


def pruned(
    models: Sequence[Tensor],
    base: Tensor,
    ranks: Sequence[Ranks],
    streams: Sequence[Words],
    kept: tuple[float, float],
    outcome: Outcome,
) -> Tensor:
    """Each entry is kept with a probability that rises evenly with its rank, to 2⁻¹⁷, and divided by it.

    kept: from the smallest entry of a row to the largest; a lone entry has the mean.
    """
    arrays, origin, merge = many(models), flat(base), outcome.kernel_arguments()
    keys, order, (least, most), columns = np.stack(streams), filled(ranks, ranks[0]), kept, row_shape(base)[1]
    if columns == 1:
        least = most = (least + most) / 2
    slope = (most - least) / max(1, columns - 1)
    return made(
        base, lambda out, start, stop: _pruned(out, arrays, origin, *merge, keys, order, least, slope, start, stop)
    )


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
    start: int,
    stop: int,
) -> None:
    for i in range(start, stop):
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
    threshold: int,
    start: int,
    stop: int,
) -> None:
    drawn = np.zeros(len(models) * GROUP, dtype=np.uint32)
    for first in range(start, stop, BLOCK):
        levels = _draw(drawn, keys, first)
        for i in range(min(BLOCK, stop - first)):
            at, total, agreed, size = np.uint64(first + i), 0.0, 0.0, 0.0
            origin = np.float64(base[at])
            for j in range(len(models)):
                total += _spared(
                    np.float64(models[j][at]) - origin, weights[j], levels[np.uint64(j * BLOCK + i)], threshold
                )
            if sizes is not None:
                sign = 1.0 if total > 0 else -1.0
                for j in range(len(models)):
                    part = sign * _spared(
                        np.float64(models[j][at]) - origin, weights[j], levels[np.uint64(j * BLOCK + i)], threshold
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
    least: float,
    slope: float,
    start: int,
    stop: int,
) -> None:
    drawn = np.zeros(len(models) * GROUP, dtype=np.uint32)
    for first in range(start, stop, BLOCK):
        levels = _draw(drawn, keys, first)
        for i in range(min(BLOCK, stop - first)):
            at, total, agreed, size = np.uint64(first + i), 0.0, 0.0, 0.0
            origin = np.float64(base[at])
            for j in range(len(models)):
                kept, level = least + np.float64(ranks[j][at]) * slope, levels[np.uint64(j * BLOCK + i)]
                total += _rescaled(np.float64(models[j][at]) - origin, weights[j], level, kept)
            if sizes is not None:
                sign = 1.0 if total > 0 else -1.0
                for j in range(len(models)):
                    kept, level = least + np.float64(ranks[j][at]) * slope, levels[np.uint64(j * BLOCK + i)]
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
