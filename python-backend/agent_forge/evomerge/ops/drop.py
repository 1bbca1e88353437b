"""Random dropping of task-vector entries, the step that the DARE family shares (Yu et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from .draw import Stream


def drop(deltas: Sequence[Tensor], streams: Sequence[Stream], chunk: int, drop_rate: float) -> None:
    """In place: each entry becomes 0 with probability `drop_rate`. To divide the others by 1 − `drop_rate` is left
    to the factors that they are multiplied with anyway.

    deltas: one chunk, (n,) float64 each; chunk: its number.
    """
    for delta, stream in zip(deltas, streams, strict=True):
        kept = ~stream.chosen(chunk, delta.numel(), drop_rate)
        values = delta.numpy()
        # numpy: torch takes twice as long to multiply by booleans
        np.multiply(values, kept, out=values)
