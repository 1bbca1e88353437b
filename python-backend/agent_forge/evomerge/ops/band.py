"""The middle band of a task vector: without its largest and its smallest entries (Davari & Belilovsky 2023)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor

from .trim import Floor, kept_count, magnitude

Gamma = Annotated[float, Field(ge=0, le=1, description="share of the largest entries that is removed")]


def bands(count: int, inputs: int, density: float, gamma: float, floor: Floor) -> list[tuple[float, float]]:
    """Per input, the magnitudes [least, above) that are kept.

    The `gamma` largest entries go first, then the smallest until `density` remains; `gamma` gives way where both
    can't be had. Entries that tie with the smallest one kept are kept, those that tie with the smallest large one
    go with it.
    """
    kept = kept_count(density, count)
    large = min(math.floor(gamma * count + 1e-9), count - kept)
    return [
        (
            floor(index, large + kept) if 0 < large + kept < count else 0.0,
            floor(index, large) if large else math.inf,
        )
        for index in range(inputs)
    ]


def keep_band(deltas: Sequence[Tensor], limits: Sequence[tuple[float, float]]) -> None:
    """In place: entries outside of their band become 0."""
    for delta, (least, above) in zip(deltas, limits, strict=True):
        size = magnitude(delta)
        delta.mul_((size >= least) & (size < above))
