from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field
from torch import Tensor

from ..errors import BadParameter
from .chunks import made, promoted
from .compiled import Array, Factors, Inputs, filled, kernel
from .linear import shares
from .registry import Tensors, Weights, merge_op

Calibration = Annotated[dict[str, Any], Field(description="names the batch that the inputs are measured on")]


@merge_op(source="Matena & Raffel 2022, Merging models with Fisher-weighted averaging, arXiv:2111.09832")
def fisher(
    models: Tensors,
    fisher: Tensors,
    *,
    weights: Weights = (),
    calibration: Calibration = {},  # noqa: B006 - a default of the schema, never changed
) -> Tensor:
    """Mean weighted per entry by the diagonal Fisher information: Σ wᵢFᵢθᵢ / Σ wᵢFᵢ.

    Measures the inputs, so its bytes are those of the machine type and torch version that measured.

    Edges: where every wᵢFᵢ is 0: Σ wᵢθᵢ / Σ wᵢ. Weights that sum to 0 and negative ones are refused.
    """
    if min(weights) < 0:
        raise BadParameter("weights: fisher takes no negative ones")
    factors = filled(shares(weights), 0.0)
    count = len(models)

    def fill(out: Array, arrays: Inputs, first: int) -> None:
        _informed(out, filled(arrays[:count], arrays[0]), filled(arrays[count:], arrays[count]), factors)

    return made([*models, *fisher], fill, dtype=promoted(models))


@kernel
def _informed(out: Array, models: Inputs, fisher: Inputs, shares: Factors) -> None:
    for i in range(len(out)):
        at, total, mean = np.uint64(i), 0.0, 0.0
        for j in range(len(models)):
            total += np.float64(fisher[j][at]) * shares[j]
        known, divisor = total > 0, total if total > 0 else 1.0
        for j in range(len(models)):
            # a division in a branch would keep the loop from becoming vector instructions
            share = np.float64(fisher[j][at]) * shares[j] / divisor
            mean += (share if known else shares[j]) * np.float64(models[j][at])
        out[at] = mean
