"""First weights, each tensor a pure function of (seed, name): no order, no global state takes part."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..contract.architecture import TinyTitan, tensor_shapes
from .draws import seed_of

# sigmoid(−3) = 0.05: at first a token passes nearly all blocks, and learns to halt from there.
_HALTING_BIAS = -3.0


def draw(shape: tuple[int, ...], seed: int, name: str, out: Tensor, n_layers: int) -> None:
    """Fill `out` (float32, of `shape`, memory-mapped or not) in place.

    Matrices are normal with σ = 0.5/√fan_in (0.022 at 512 wide); those that write to the residual stream are
    divided by √(2·layers) (GPT-2). Norm weights are one, biases zero, except for the halting bias.
    """
    if tuple(out.shape) != shape or out.dtype != torch.float32:
        raise ValueError(f"{name}: {tuple(out.shape)} of {out.dtype} cannot take {shape} of torch.float32")
    if len(shape) == 1:
        norm = ".norm" in name and name.endswith(".weight")
        out.fill_(1.0 if norm else _HALTING_BIAS if name == "act_halting.bias" else 0.0)
        return
    sigma = 0.5 / math.sqrt(shape[1])
    if name.endswith(("out_proj.weight", "linear2.weight")):
        sigma /= math.sqrt(2 * n_layers)
    out.normal_(0.0, sigma, generator=torch.Generator().manual_seed(seed_of("initialization", seed, name)))


def draw_all(arch: TinyTitan, seed: int) -> dict[str, Tensor]:
    """Every tensor of a model, in memory."""
    tensors = {}
    for name, shape in tensor_shapes(arch).items():
        tensors[name] = torch.empty(shape)
        draw(shape, seed, name, tensors[name], arch.n_layers)
    return tensors
