"""The middle band of a task vector: without its largest and its smallest entries (Davari & Belilovsky 2023)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor

from .statistics_cache import StatisticsCache
from .taskvectors import Band
from .trim import floors, kept_count

Gamma = Annotated[float, Field(ge=0, le=1, description="share of the largest entries that is removed")]


def bands(
    models: Sequence[Tensor], base: Tensor, density: float, gamma: float, statistics: StatisticsCache
) -> list[Band]:
    """Per input, the magnitudes [least, above) that are kept.

    The `gamma` largest entries go first, then the smallest until `density` remains; `gamma` gives way where the two
    conflict. Entries that tie with the smallest one kept are kept, those that tie with the smallest large one
    go with it.
    """
    count = base.numel()
    kept = kept_count(density, count)
    large = min(math.floor(gamma * count + 1e-9), count - kept)
    least = floors(models, base, large + kept, statistics)
    above = floors(models, base, large, statistics) if large else [math.inf] * len(models)
    return list(zip(least, above, strict=True))
