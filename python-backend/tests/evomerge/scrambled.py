"""Models whose units stand in another order: they compute the same."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from agent_forge.evomerge.ops.registry import StateDict
from agent_forge.evomerge.ops.symmetry import Symmetry, symmetries


def permuted(model: Mapping[str, Tensor], group: Symmetry, order: Tensor) -> StateDict:
    """Unit i becomes the former unit order[i], written entry by entry."""
    out = dict(model)
    for place in group.places:
        tensor = out[place.tensor].movedim(place.dim, 0).clone()
        former = tensor.clone()
        for target, source in enumerate(order.tolist()):
            for entry in range(group.width):
                tensor[place.offset + target * group.width + entry] = former[
                    place.offset + source * group.width + entry
                ]
        out[place.tensor] = tensor.movedim(0, place.dim).contiguous()
    return out


def scrambled(model: Mapping[str, Tensor], heads: int, seed: int) -> StateDict:
    """Every group of units in a random order."""
    generator = torch.Generator().manual_seed(seed)
    out = dict(model)
    for group in symmetries(out, heads):
        out = permuted(out, group, torch.randperm(group.count, generator=generator))
    return out
