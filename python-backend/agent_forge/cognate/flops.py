"""Arithmetic of the model, counted from its shape. Free of torch. A multiply-add is two FLOPs."""

from __future__ import annotations

from ..contract.architecture import TinyTitan


def block_flops(arch: TinyTitan) -> float:
    """One token through one block: projections, gate, feed-forward, attention over a full window."""
    d = arch.d_model
    linear = 2 * (3 * d * d + d * d + d * d + 2 * d * arch.d_ff)
    return linear + 4 * arch.window * d


def halted_flops(arch: TinyTitan) -> float:
    """A halted token in one later block: others still read its key and value, nothing else is computed."""
    return 4.0 * arch.d_model * arch.d_model


def flops_per_token(arch: TinyTitan, mean_depth: float) -> float:
    """Forward pass of one token at a mean ACT depth, with one row of the output projection."""
    blocks = mean_depth * block_flops(arch) + (arch.n_layers - mean_depth) * halted_flops(arch)
    return blocks + 2.0 * arch.d_model * arch.vocab_size


def step_flops(arch: TinyTitan, batch_tokens: int, label_share: float = 0.5) -> float:
    """One training step, forward and backward (three times the forward), at full depth.

    `label_share` is the part of the tokens that are projected to the vocabulary.
    """
    blocks = arch.n_layers * block_flops(arch)
    output = label_share * 2.0 * arch.d_model * arch.vocab_size
    return 3.0 * batch_tokens * (blocks + output)
