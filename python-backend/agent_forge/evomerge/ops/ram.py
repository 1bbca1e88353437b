from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor

from .chunks import made
from .compiled import Array, Factors, Inputs, kernel, present_of
from .registry import Scale, Tensors, merge_op
from .taskvectors import about


@merge_op(source="Reinforced Agent Merging, 2026, arXiv:2601.13572; as in mergekit")
def ram(
    models: Tensors,
    base: Tensor,
    *,
    epsilon: Annotated[float, Field(ge=0, le=1, description="largest difference that counts as unchanged")] = 1e-5,
    scale: Scale = 1.0,
) -> Tensor:
    """Keep what one model alone has changed as it is, take the mean of what several have: θ₀ + λ Σ τᵢ / n over the
    n models with |τᵢ| > ε, per entry.

    Edges: where no model has changed an entry it stays the base's; λ 0 gives the base. With ε 0 every difference
    counts.

    mergekit: has no λ (it is 1).
    """
    present = present_of(models)
    return made(
        [*models, base], lambda out, arrays, first: _mean_of_changes(out, *about(arrays), present, epsilon, scale)
    )


@kernel
def _mean_of_changes(out: Array, models: Inputs, base: Array, present: Factors, epsilon: float, scale: float) -> None:
    for i in range(len(out)):
        at, total, changed = np.uint64(i), 0.0, 0.0
        origin = np.float64(base[at])
        for j in range(len(models)):
            delta = (np.float64(models[j][at]) - origin) * present[j]
            total += delta if abs(delta) > epsilon else 0.0
            changed += 1.0 if abs(delta) > epsilon else 0.0
        out[at] = origin + total / (changed if changed > 0 else 1.0) * scale
