from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field
from torch import Tensor

from ..refusal import BadParameter
from .chunks import made
from .compiled import BLOCK, Array, Floats, clear, copy, kernel, many, padded
from .linear import shares
from .registry import Tensors, Weights, merge_op

Calibration = Annotated[dict[str, Any], Field(description="names the batch that the Fisher is measured on")]


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
        raise BadParameter("weights: fisher takes none below 0")
    factors = np.array(shares(weights))
    arrays, importances = many(models), many(fisher)
    return made(models[0], lambda out, start, stop: _informed(out, arrays, importances, factors, start, stop))


@kernel
def _informed(
    out: Array, models: tuple[Array, ...], fisher: tuple[Array, ...], shares: Floats, start: int, stop: int
) -> None:
    if len(shares) <= 4:
        part = slice(start, stop)
        a, b, c, d = models[0][part], models[1][part], models[2][part], models[3][part]
        e, f, g, h = fisher[0][part], fisher[1][part], fisher[2][part], fisher[3][part]
        _informed_four(out[part], a, b, c, d, e, f, g, h, padded(shares))
        return
    total, mean = np.empty(BLOCK), np.empty(BLOCK)
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        clear(total)
        clear(mean)
        for index in range(len(shares)):
            _sum(total, fisher[index][at : at + size], shares[index])
        for index in range(len(shares)):
            _mix(mean, total, models[index][at : at + size], fisher[index][at : at + size], shares[index])
        copy(out[at : at + size], mean[:size])


@kernel
def _sum(total: Floats, fisher: Array, share: float) -> None:
    for i in range(len(fisher)):
        total[i] = total[i] + np.float64(fisher[i]) * share


@kernel
def _mix(mean: Floats, total: Floats, model: Array, fisher: Array, share: float) -> None:
    for i in range(len(model)):
        known = np.float64(fisher[i]) * share / (total[i] if total[i] > 0 else 1.0)
        mean[i] = mean[i] + (known if total[i] > 0 else share) * np.float64(model[i])


@kernel
def _informed_four(
    out: Array, a: Array, b: Array, c: Array, d: Array, e: Array, f: Array, g: Array, h: Array, shares: Floats
) -> None:
    """Up to four inputs, which is what a search has, in one loop. e to h: their diagonals."""
    u, v, w, x = shares[0], shares[1], shares[2], shares[3]
    for i in range(len(out)):
        p, q, r, s = np.float64(e[i]) * u, np.float64(f[i]) * v, np.float64(g[i]) * w, np.float64(h[i]) * x
        total = 0.0 + p + q + r + s
        some = total > 0
        divisor = total if some else 1.0
        mean = 0.0 + (p / divisor if some else u) * np.float64(a[i]) + (q / divisor if some else v) * np.float64(b[i])
        mean = mean + (r / divisor if some else w) * np.float64(c[i]) + (s / divisor if some else x) * np.float64(d[i])
        out[i] = mean
