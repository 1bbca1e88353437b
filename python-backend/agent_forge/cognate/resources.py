"""What training takes, by a model's size."""

from __future__ import annotations

from ..contract.architecture import TinyTitan, parameter_count
from ..contract.cognate import CognateConfig
from ..execution.resources import PROCESS_BYTES

MODELS_IN_TRAINING = 5
"""Weights, gradients, two moments, a copy for the checkpoint."""


def training_bytes(config: CognateConfig, arch: TinyTitan) -> int:
    """Memory of a process that trains one model, of a resolved configuration."""
    size = 4 * parameter_count(arch)
    # of one step, in float32
    activations = (
        (config.batch_tokens or 0) * (arch.n_layers * (10 * arch.d_model + 2 * arch.d_ff) + arch.vocab_size) * 4
    )
    return PROCESS_BYTES + MODELS_IN_TRAINING * size + activations
