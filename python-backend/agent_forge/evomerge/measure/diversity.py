"""How far the candidates of a generation lie from each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

SAMPLE = 1 << 20
"""Entries of a task vector that are compared; evenly spaced in a model that has more."""

Sketch = npt.NDArray[np.float64]


def sketch(model: Mapping[str, Tensor], base: Mapping[str, Tensor]) -> Sketch:
    """Entries of model − base: every s-th of each tensor, such that about `SAMPLE` remain of the whole."""
    total = sum(tensor.numel() for tensor in base.values())
    stride = max(1, math.ceil(total / SAMPLE))
    parts = [
        (model[name].reshape(-1)[::stride].to(torch.float64) - origin.reshape(-1)[::stride].to(torch.float64)).numpy()
        for name, origin in base.items()
    ]
    return np.concatenate(parts)


def diversity(sketches: Sequence[Sketch]) -> float:
    """Mean pairwise cosine distance, 0 to 2. Two vectors of length 0 have distance 0, one of length 0 and another 1."""
    norms = [math.sqrt(float(np.add.reduce(one * one))) for one in sketches]
    distances = []
    for a, b in combinations(range(len(sketches)), 2):
        if norms[a] == 0 or norms[b] == 0:
            distances.append(0.0 if norms[a] == norms[b] else 1.0)
            continue
        cosine = float(np.add.reduce(sketches[a] * sketches[b])) / (norms[a] * norms[b])
        distances.append(1 - min(1.0, max(-1.0, cosine)))
    return math.fsum(distances) / len(distances) if distances else 0.0
