"""Magnitudes of task vectors and their exact order statistics."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .chunks import CHUNK

Floor = Callable[[int, int], float]
"""(input, k) → the k-th largest magnitude of that input's task vector in the tensor at hand; k from 1."""


def kept_count(share: float, count: int) -> int:
    """How many of `count` entries are the top `share`: rounded up, so that a small tensor keeps one."""
    return min(count, math.ceil(share * count - 1e-9))


def magnitude(delta: Tensor) -> Tensor:
    """|delta| as float32: what entries are ranked by."""
    return delta.to(torch.float32).abs_()


def magnitudes(model: Tensor, base: Tensor) -> npt.NDArray[np.float32]:
    """Of the task vector model − base, flat."""
    out = torch.empty(model.numel(), dtype=torch.float32)
    flat, origin = model.reshape(-1), base.reshape(-1)
    for start in range(0, model.numel(), CHUNK):
        part = flat[start : start + CHUNK].to(torch.float64)
        out[start : start + CHUNK] = magnitude(part - origin[start : start + CHUNK].to(torch.float64))
    return out.numpy()


def kth_largest(model: Tensor, base: Tensor, k: int) -> float:
    """The exact k-th largest magnitude of a task vector, by selection; k from 1."""
    values = magnitudes(model, base)
    position = len(values) - k
    values.partition(position)
    return float(values[position])
