"""What the recipes of a run have in common. Free of torch."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from ...contract.recipe import Recipe
from ...contract.report import Basis


class Frame(BaseModel):
    """What all genomes of a run are expressed in."""

    model_config = ConfigDict(frozen=True)

    parents: list[Recipe]
    """Each a registered model, or one that is aligned, or decoupled from the others."""
    origin: Recipe
    """θ₀."""
    basis: Basis
    depth: int
    """Blocks of each parent."""
    calibration: dict[str, Any]
    mutation_rate: float
    mutation_sigma: float
