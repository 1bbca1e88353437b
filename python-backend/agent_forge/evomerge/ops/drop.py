"""Random dropping of task-vector entries, the step that the DARE family shares (Yu et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .draw import Stream


def drop_and_rescale(deltas: Sequence[Tensor], streams: Sequence[Stream], drop_rate: float) -> None:
    """In place: each entry becomes 0 with probability `drop_rate`, else it is divided by 1 − `drop_rate`."""
    for delta, stream in zip(deltas, streams, strict=True):
        dropped = torch.from_numpy(stream.chosen(delta.numel(), drop_rate))
        delta.masked_fill_(dropped, 0.0).div_(1 - drop_rate)
