"""Adaptive computation time over depth, per token (Graves 2016, equations 5 to 10)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 0.01
"""A token halts when its halting probabilities sum to 1 − ε, so that one block can be enough."""


@dataclass
class Halting:
    """Running sums of one forward pass over N tokens. Padding never is active."""

    active: Tensor
    """bool [N]"""
    spent: Tensor
    """Σ of halting probabilities so far, float [N]"""
    remainder: Tensor
    """R: what was left at the block where a token halted, float [N]; 0 before."""
    depth: Tensor
    """Blocks passed, int [N]"""
    mean_state: Tensor
    """Σ wₙ·stateₙ, float [N, d]"""

    @classmethod
    def start(cls, real: Tensor, width: int) -> Halting:
        zeros = torch.zeros(real.shape[0], device=real.device)
        return cls(
            active=real,
            spent=zeros,
            remainder=zeros,
            depth=torch.zeros_like(zeros, dtype=torch.int32),
            mean_state=torch.zeros(real.shape[0], width, device=real.device),
        )

    def advance(self, probability: Tensor, state: Tensor, last: bool) -> None:
        """After a block: `probability` [N] of halting here, `state` [N, d]. `last`: everything halts."""
        halts = self.active & (self.spent + probability >= 1 - EPSILON) if not last else self.active
        left = 1 - self.spent
        weight = torch.where(halts, left, probability) * self.active
        self.mean_state = self.mean_state + weight[:, None] * state
        self.remainder = torch.where(halts, left, self.remainder)
        self.spent = self.spent + weight
        self.depth = self.depth + self.active
        self.active = self.active & ~halts

    def ponder(self) -> Tensor:
        """N + R per token, float [N]; its gradient goes through R alone."""
        return self.depth + self.remainder
