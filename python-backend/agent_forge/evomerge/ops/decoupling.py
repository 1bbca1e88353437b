"""Task vectors that interfere less: each gives up, per matrix, what the others' inputs would read of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ..errors import NonFinite
from .chunks import converted, finite, promoted, row_shape
from .combination import combined
from .compiled import flat
from .exact_product import Matrix, product
from .registry import Tensors
from .statistics_cache import StatisticsCache

Time = Annotated[
    float,
    Field(ge=0, le=10_000, description="t, how long interference is reduced; 0: not at all, 100 to 300: most of it"),
]
TIME = 100.0


def decoupled(models: Tensors, base: Tensor, group: str, statistics: StatisticsCache, time: float) -> list[Tensor]:
    """θ₀ + τ̃ᵢ of each model, found once for all of them. The sum of τ̃ᵢ is the SWUDI merge (arXiv:2606.07289).

    With task vectors τᵢ of shape (out, in), Bᵢ = τᵢᵀτᵢ, nᵢ = 1/‖τᵢ‖² and C = Σ nᵢBᵢ = V diag(e) Vᵀ:

        τ̃ᵢ = τᵢ(I − V f Vᵀ) + nᵢτᵢBᵢ·V(f/e)Vᵀ,    f = 1 − (1 − t·e/n)ⁿ

    The paper has f = 1 − exp(−t·e), the limit of this Landweber iteration for large n. Here n is the least power of 2
    that is not below t times the number of models, which bounds e: so no factor is negative. I − V f Vᵀ = Mⁿ and
    V(f/e)Vᵀ = t/n·Σⱼ Mʲ, with M = I − C·t/n and j from 0 to n − 1, take 2·log₂ n products and no eigenvectors, whose
    bytes would depend on the machine. The paper also leaves the smallest e out; their f is small anyway.

    Vectors, and the embedding, whose rows are looked up, have no inputs to tell apart: τ̃ᵢ is τᵢ over the number of
    models. The sum is the mean.
    """
    linear = base.dim() > 1 and group != "embedding"
    return statistics(range(len(models)), ("decoupled", time), partial(_decoupled, models, base, linear, time))


def _decoupled(models: Tensors, base: Tensor, linear: bool, time: float) -> list[Tensor]:
    count, dtype = len(models), promoted([*models, base])
    if not linear:
        return [combined([model, base], [1 / count, 1 - 1 / count], dtype) for model in models]
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused in the end
        origin = _matrix(base)
        vectors = [_matrix(model) - origin for model in models]
        rows, columns = origin.shape
        parts = _by_rows(vectors, time) if count * rows < columns else _by_columns(vectors, time)
        return [_model(origin + part, base.shape, dtype) for part in parts]


def _by_columns(vectors: Sequence[Matrix], time: float) -> Iterator[Matrix]:
    """τ̃ᵢ = τᵢ·(Mⁿ + nᵢBᵢ·t/n·Σⱼ Mʲ), by products of shape (in, in)."""
    grams = [product(vector.T, vector) for vector in vectors]
    shares = [_inverse(math.fsum(np.diagonal(gram))) for gram in grams]
    for gram, share in zip(grams, shares, strict=True):
        gram *= share
    kept, drawn = _filters(sum(grams[1:], grams[0]), time, len(vectors))
    for vector, gram in zip(vectors, grams, strict=True):
        yield product(vector, kept + product(gram, drawn))


def _by_rows(vectors: Sequence[Matrix], time: float) -> Iterator[Matrix]:
    """The same by products of shape (models · out, models · out), where these are fewer.

    With the rows of all √nᵢτᵢ as T, C = TᵀT and T·g(TᵀT) = g(TTᵀ)·T for every polynomial g.
    """
    shares = [_inverse(math.fsum(np.diagonal(product(vector, vector.T)))) for vector in vectors]
    roots = [math.sqrt(share) for share in shares]
    stacked = np.concatenate([vector * root for vector, root in zip(vectors, roots, strict=True)])
    gram = product(stacked, stacked.T)
    kept, drawn = _filters(gram, time, len(vectors))
    first, second = product(kept, stacked), product(drawn, stacked)
    for index, (vector, root) in enumerate(zip(vectors, roots, strict=True)):
        own = slice(index * len(vector), (index + 1) * len(vector))
        yield (first[own] + product(gram[own, own], second[own])) / root if root > 0 else vector


def _inverse(size: float) -> float:
    return 1 / size if size > 0 else 0.0


def _filters(gram: Matrix, time: float, models: int) -> tuple[Matrix, Matrix]:
    """Mⁿ, and t/n times the sum of the powers of M below n, with M = I − gram·t/n."""
    doublings = max(0, math.ceil(math.log2(time * models))) if time > 0 else 0
    step = time / 2**doublings
    total = np.eye(len(gram))
    power = total - gram * step
    for _ in range(doublings):
        total = total + product(power, total)
        power = product(power, power)
    return power, total * step


def _matrix(tensor: Tensor) -> Matrix:
    return flat(tensor).astype(np.float64).reshape(row_shape(tensor))


def _model(matrix: Matrix, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    found = torch.from_numpy(matrix).reshape(shape)
    if not finite(found):
        raise NonFinite("the result overflows")
    return converted(found, dtype)
