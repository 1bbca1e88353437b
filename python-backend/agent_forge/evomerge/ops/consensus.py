"""Sign election, the step that TIES and its kin share (Yadav et al. 2023, algorithm 1, steps 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def elected_mean(deltas: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Elect the sign of Σ wᵢδᵢ per entry, then Σ wᵢδᵢ / Σ|wᵢ| over the inputs whose wᵢδᵢ has it.

    0 where no sign is elected (mergekit elects + where the sum is exactly 0, which has no basis in the paper).
    deltas: (n,) float64 each; overwritten.
    """
    for delta, weight in zip(deltas, weights, strict=True):
        delta.mul_(weight)
    elected = deltas[0] + deltas[1] if len(deltas) > 1 else deltas[0].clone()
    for delta in deltas[2:]:
        elected.add_(delta)
    elected.sign_()
    total, divisor = torch.zeros_like(elected), torch.zeros_like(elected)
    for delta, weight in zip(deltas, weights, strict=True):
        agreeing = delta.mul_(elected).clamp_(min=0)
        total.add_(agreeing)
        divisor.add_(agreeing.sign_().mul_(abs(weight)))
    # where nobody agrees the total is 0 as well
    return total.div_(divisor.clamp_(min=torch.finfo(torch.float64).tiny)).mul_(elected)
