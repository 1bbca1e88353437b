"""Arithmetic over whole tensors in fixed chunks, so that thread count and machine do not change the bytes.

Only single IEEE operations (multiply, add, divide, compare) run in parallel: they round alike wherever a
thread's share ends. Fused ones (`lerp`, `addcmul`, `add(alpha=…)`) may round differently in a vector's tail.
Sums run in numpy, whose pairwise order depends on the length alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

CHUNK = 1 << 17
"""Entries. In float64 a chunk and its few temporaries stay in the cache."""


def by_chunks(merge: Callable[[list[Tensor]], Tensor], tensors: Sequence[Tensor]) -> Tensor:
    """Apply an elementwise function to flat float64 copies of the tensors, chunk by chunk.

    merge: gets one chunk of each tensor, (n,) float64, free to change in place; returns (n,) float64.
    Returns a new tensor of the first one's shape and dtype.
    """
    first = tensors[0]
    flat = [tensor.reshape(-1) for tensor in tensors]
    out = torch.empty(first.numel(), dtype=first.dtype)
    for start in range(0, first.numel(), CHUNK):
        parts = [tensor[start : start + CHUNK].to(torch.float64, copy=True) for tensor in flat]
        out[start : start + CHUNK] = merge(parts)
    return out.reshape(first.shape)


def dot(a: Tensor, b: Tensor) -> float:
    """Σ aᵢbᵢ in float64."""
    flat_a, flat_b = a.reshape(-1), b.reshape(-1)
    return math.fsum(
        float(
            np.add.reduce(
                flat_a[start : start + CHUNK].to(torch.float64).numpy()
                * flat_b[start : start + CHUNK].to(torch.float64).numpy()
            )
        )
        for start in range(0, flat_a.numel(), CHUNK)
    )


def norm(a: Tensor) -> float:
    """Euclidean norm in float64."""
    return math.sqrt(dot(a, a))


def deviation(a: Tensor) -> float:
    """Standard deviation of the entries (population), float64; 0 for an empty tensor."""
    count = a.numel()
    if count == 0:
        return 0.0
    flat = a.reshape(-1)
    chunks = [flat[start : start + CHUNK] for start in range(0, count, CHUNK)]
    mean = math.fsum(float(np.add.reduce(chunk.to(torch.float64).numpy())) for chunk in chunks) / count
    squares = math.fsum(float(np.add.reduce(np.square(chunk.to(torch.float64).numpy() - mean))) for chunk in chunks)
    return math.sqrt(squares / count)


def lincomb(parts: Sequence[Tensor], factors: Sequence[float]) -> Tensor:
    """Σ factorᵢ · partᵢ; overwrites the parts."""
    total = parts[0].mul_(factors[0])
    for part, factor in zip(parts[1:], factors[1:], strict=True):
        total.add_(part.mul_(factor))
    return total
