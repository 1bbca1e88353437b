"""The middle band of a task vector: without its largest and its smallest entries (Davari & Belilovsky 2023)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor

from .registry import PerInput, Shares, each
from .statistics_cache import StatisticsCache
from .taskvectors import Band
from .trim import floors, kept_count

Gamma = Annotated[Shares, PerInput(), Field(ge=0, le=1, description="share of the largest entries that is removed")]


def bands(
    models: Sequence[Tensor], base: Tensor, density: Shares, gamma: Shares, statistics: StatisticsCache
) -> list[Band]:
    """Per input, the magnitudes [least, above) that are kept.

    The `gamma` largest entries go first, then the smallest until `density` remains; `gamma` gives way where the two
    conflict. Entries that tie with the smallest one kept are kept, those that tie with the smallest large one
    go with it.
    """
    count = base.numel()
    kept = [kept_count(share, count) for share in each(density, len(models))]
    large = [
        min(math.floor(share * count + 1e-9), count - most)
        for share, most in zip(each(gamma, len(models)), kept, strict=True)
    ]
    least = floors(models, base, [a + b for a, b in zip(large, kept, strict=True)], statistics)
    above = floors(models, base, large, statistics)
    # no entry is as large as infinity
    return [(low, high) if most else (math.inf, math.inf) for low, high, most in zip(least, above, kept, strict=True)]
