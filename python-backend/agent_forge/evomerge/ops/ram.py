from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor

from .chunks import made
from .compiled import BLOCK, Array, Floats, clear, flat, kernel, many
from .registry import Scale, Tensors, merge_op


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

    mergekit: has no λ: its is 1.
    """
    arrays, origin, count = many(models), flat(base), len(models)
    return made(
        base, lambda out, start, stop: _mean_of_changes(out, arrays, count, origin, epsilon, scale, start, stop)
    )


@kernel
def _mean_of_changes(
    out: Array,
    models: tuple[Array, ...],
    count: int,
    base: Array,
    epsilon: float,
    scale: float,
    start: int,
    stop: int,
) -> None:
    if count <= 4:
        part = slice(start, stop)
        a, b, c, d = models[0][part], models[1][part], models[2][part], models[3][part]
        _mean_of_four(out[part], base[part], a, b, c, d, count, epsilon, scale)
        return
    total, changed = np.empty(BLOCK), np.empty(BLOCK)
    for at in range(start, stop, BLOCK):
        size = min(BLOCK, stop - at)
        clear(total)
        clear(changed)
        for index in range(count):
            _change(total, changed, models[index][at : at + size], base[at : at + size], epsilon)
        _add(out[at : at + size], base[at : at + size], total, changed, scale)


@kernel
def _change(total: Floats, changed: Floats, model: Array, base: Array, epsilon: float) -> None:
    for i in range(len(model)):
        delta = np.float64(model[i]) - np.float64(base[i])
        total[i] = total[i] + (delta if abs(delta) > epsilon else 0.0)
        changed[i] = changed[i] + (1.0 if abs(delta) > epsilon else 0.0)


@kernel
def _add(out: Array, base: Array, total: Floats, changed: Floats, scale: float) -> None:
    for i in range(len(out)):
        mean = total[i] / (changed[i] if changed[i] > 0 else 1.0)
        out[i] = np.float64(base[i]) + mean * scale


@kernel
def _mean_of_four(
    out: Array, base: Array, a: Array, b: Array, c: Array, d: Array, count: int, epsilon: float, scale: float
) -> None:
    """Up to four inputs, which is what a search has, in one loop."""
    second, third, fourth = 1.0 if count > 1 else 0.0, 1.0 if count > 2 else 0.0, 1.0 if count > 3 else 0.0
    for i in range(len(out)):
        origin = np.float64(base[i])
        p, q = np.float64(a[i]) - origin, (np.float64(b[i]) - origin) * second
        r, s = (np.float64(c[i]) - origin) * third, (np.float64(d[i]) - origin) * fourth
        total = 0.0 + (p if abs(p) > epsilon else 0.0) + (q if abs(q) > epsilon else 0.0)
        total = total + (r if abs(r) > epsilon else 0.0) + (s if abs(s) > epsilon else 0.0)
        changed = (1.0 if abs(p) > epsilon else 0.0) + (1.0 if abs(q) > epsilon else 0.0)
        changed = changed + (1.0 if abs(r) > epsilon else 0.0) + (1.0 if abs(s) > epsilon else 0.0)
        out[i] = origin + total / (changed if changed > 0 else 1.0) * scale
