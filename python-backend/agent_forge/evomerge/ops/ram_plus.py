from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field
from torch import Tensor

from .chunks import CHUNK, each_read, made
from .compiled import BLOCK, Array, Factors, Inputs, filled, kernel, present_of
from .registry import Scale, Tensors, merge_op
from .statistics_cache import StatisticsCache
from .taskvectors import about

Counts = npt.NDArray[np.int64]


@merge_op(source="Reinforced Agent Merging Plus, 2026, arXiv:2601.13572; per tensor, as in mergekit")
def ram_plus(
    models: Tensors,
    base: Tensor,
    statistics: StatisticsCache,
    *,
    epsilon: Annotated[float, Field(ge=0, le=1, description="largest difference that counts as unchanged")] = 1e-5,
    r: Annotated[float, Field(ge=0, le=10, description="how far sharing strengthens what is unique")] = 0.1,
    alpha: Annotated[float, Field(ge=0, le=100, description="largest ratio of shared to unique that counts")] = 0.2,
    scale: Scale = 1.0,
) -> Tensor:
    """As `ram`, but what one model alone has changed counts the more, the more of its changes it shares: times
    1 + r·min(ρᵢ, α), where ρᵢ is the number of its shared changes over that of its unique ones.

    Changed is what differs from the base by more than ε; shared, what several models have changed. Counted per tensor.

    Edges: where no model has changed an entry it stays the base's; λ 0 gives the base, r or α 0 `ram`. With ε 0 every
    difference counts.

    mergekit: calls it `ramplus_tl`; has no λ (it is 1).
    """
    strengths = statistics(
        range(len(models)), ("changes shared and unique", epsilon), lambda: _shared_over_unique(models, base, epsilon)
    )
    present = present_of(models)
    factors = filled([1 + r * min(strength, alpha) for strength in strengths], 0.0)
    return made(
        [*models, base],
        lambda out, arrays, first: _reinforced(out, *about(arrays), present, factors, epsilon, scale),
    )


def _shared_over_unique(models: Sequence[Tensor], base: Tensor, epsilon: float) -> list[float]:
    """ρ of each model; 0 where it has no unique change that it could strengthen."""
    present, size = present_of(models), base.numel()
    counts = np.zeros((math.ceil(size / CHUNK), 2, len(present)), dtype=np.int64)
    each_read(
        [*models, base],
        lambda arrays, start, stop: _count(counts[start // CHUNK], *about(arrays), present, epsilon),
    )
    changed, unique = counts.sum(axis=0)[:, : len(models)].tolist()
    return [(all_ - own) / own if own else 0.0 for all_, own in zip(changed, unique, strict=True)]


@kernel
def _count(counts: Counts, models: Inputs, base: Array, present: Factors, epsilon: float) -> None:
    """counts: (2, inputs), the entries that each has changed, and those that it alone has. Entry i goes to partial
    sum i mod BLOCK."""
    changed, unique = np.zeros(len(models) * BLOCK, np.int64), np.zeros(len(models) * BLOCK, np.int64)
    for first in range(0, len(base), BLOCK):
        for i in range(min(BLOCK, len(base) - first)):
            at, together = np.uint64(first + i), 0
            for j in range(len(models)):
                delta = (np.float64(models[j][at]) - np.float64(base[at])) * present[j]
                together += 1 if abs(delta) > epsilon else 0
            for j in range(len(models)):
                delta = (np.float64(models[j][at]) - np.float64(base[at])) * present[j]
                place = np.uint64(j * BLOCK + i)
                changed[place] += 1 if abs(delta) > epsilon else 0
                unique[place] += 1 if abs(delta) > epsilon and together == 1 else 0
    for j in range(len(models)):
        counts[0, j] = changed[j * BLOCK : (j + 1) * BLOCK].sum()
        counts[1, j] = unique[j * BLOCK : (j + 1) * BLOCK].sum()


@kernel
def _reinforced(
    out: Array,
    models: Inputs,
    base: Array,
    present: Factors,
    factors: Factors,
    epsilon: float,
    scale: float,
) -> None:
    """factors: of what an input alone has changed."""
    for i in range(len(out)):
        at, total, unique, changed = np.uint64(i), 0.0, 0.0, 0.0
        origin = np.float64(base[at])
        for j in range(len(models)):
            delta = (np.float64(models[j][at]) - origin) * present[j]
            total += delta if abs(delta) > epsilon else 0.0
            unique += delta * factors[j] if abs(delta) > epsilon else 0.0
            changed += 1.0 if abs(delta) > epsilon else 0.0
        mean = total / (changed if changed > 1 else 1.0)
        out[at] = origin + (mean if changed > 1 else unique) * scale
