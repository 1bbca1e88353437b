"""Sign election, the step that TIES and its kin share (Yadav et al. 2023, algorithm 1, steps 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def elected_mean(deltas: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Elect the sign of Σ wᵢδᵢ per entry, then Σ wᵢδᵢ / Σ|wᵢ| over the inputs whose wᵢδᵢ has it.

    0 where no sign is elected. deltas: (n,) float64 each; overwritten.
    """
    voted = [delta.mul_(weight) for delta, weight in zip(deltas, weights, strict=True)]
    elected = voted[0].clone()
    for delta in voted[1:]:
        elected.add_(delta)
    elected.sign_()
    total = torch.zeros_like(elected)
    divisor = torch.zeros_like(elected)
    for delta, weight in zip(voted, weights, strict=True):
        agrees = (delta * elected).gt_(0)
        total.add_(delta.mul_(agrees))
        divisor.add_(agrees.mul_(abs(weight)))
    return total.div_(divisor.add_(divisor == 0))
