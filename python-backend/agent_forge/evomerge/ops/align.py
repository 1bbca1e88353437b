from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ...contract.architecture import ARCHITECTURES
from ..errors import BadParameter
from .combination import inner_products
from .registry import Inputs, Models, StateDict, merge_op
from .symmetry import Place, Symmetry, symmetries

_EXACT_BITS = 50
_SMALL = 1 << 22
"""Entries. Over the many small products of a model with fewer, threads only get in each other's way."""


@merge_op(source="Ainsworth et al. 2023, Git Re-Basin, arXiv:2209.04836, weight matching")
def align(
    models: Annotated[Models, Inputs(2, 2)],
    *,
    heads: Annotated[
        int, Field(ge=0, le=1024, description="attention heads of a block; 0: heads and their channels stay")
    ] = 0,
    iterations: Annotated[int, Field(ge=1, le=100, description="maximum rounds over all groups of units")] = 20,
) -> StateDict:
    """Permute the first model's units so that its weights come closest to the second's; what it computes stays.

    Residual channels, heads, their value channels, then each block's feed-forward units: assignment by SciPy,
    round after round until nothing gains (symmetry.py says why these and no others). `heads` must be what the models
    were made with: only the caller can know that for shapes that match no preset, and a wrong number makes a model that
    computes something else.

    Edges: equal models, and units whose tensors are not all there, stay as they are. `heads` that don't divide the
    width are refused, as are any but the preset's where the shapes match a preset.
    """
    model, reference = dict(models[0]), models[1]
    _check_heads(model, heads)
    groups, scale = list(symmetries(model, heads)), _scale(models)
    tensors = [{place.tensor for place in group.places} for group in groups]
    open_ = set(range(len(groups)))
    with _threads_for(model):
        for _ in range(iterations):
            for index in range(len(groups)):
                if index not in open_:
                    continue
                open_.remove(index)
                if _matched(model, reference, groups[index], scale):
                    # only what shares a tensor with units that moved may find a better order now
                    open_ |= {other for other in range(len(groups)) if tensors[other] & tensors[index]} - {index}
    return model


def _check_heads(model: Mapping[str, Tensor], heads: int) -> None:
    """Raises `BadParameter` where the shapes show that there can't be so many heads."""
    if not heads or "embedding.weight" not in model:
        return
    vocabulary, width = model["embedding.weight"].shape
    if width % heads:
        raise BadParameter(f"align: heads: {heads} do not divide a width of {width}")
    for preset, known in ARCHITECTURES.items():
        if (known.vocab_size, known.d_model) == (vocabulary, width) and known.n_heads != heads:
            raise BadParameter(
                f"align: heads: a block of `{preset}` has {known.n_heads}, not {heads}; 0 leaves heads where they are"
            )


@contextmanager
def _threads_for(model: Mapping[str, Tensor]) -> Iterator[None]:
    threads = torch.get_num_threads()
    if sum(tensor.numel() for tensor in model.values()) < _SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _scale(models: Models) -> float:
    """A power of 2 that turns weights into whole numbers whose inner products float64 holds exactly.

    So no order of summation, thread count or machine changes an assignment.
    """
    squares = [math.fsum(inner_products([tensor])[0][0] for tensor in model.values()) for model in models]
    largest = math.sqrt(squares[0] * squares[1])
    return 2.0 ** ((_EXACT_BITS - max(0, math.frexp(largest)[1])) // 2) if largest > 0 else 1.0


def _matched(model: StateDict, reference: Mapping[str, Tensor], group: Symmetry, scale: float) -> bool:
    """Permute one group in place of the dictionary; False where the order is the best already."""
    similarity = torch.zeros(group.count, group.count, dtype=torch.float64)
    for place in group.places:
        a, b = (_units(tensors[place.tensor], place, group, scale) for tensors in (reference, model))
        similarity.addmm_(a, b.T)
    rows, order = linear_sum_assignment(similarity.numpy(), maximize=True)
    if similarity.numpy()[rows, order].sum() <= similarity.trace():
        return False
    entries = torch.from_numpy((order[:, None] * group.width + np.arange(group.width)).reshape(-1))
    for place in group.places:
        tensor = model[place.tensor]
        index = torch.arange(tensor.shape[place.dim])
        index[place.offset : place.offset + len(entries)] = place.offset + entries
        model[place.tensor] = tensor.index_select(place.dim, index)
    return True


def _units(tensor: Tensor, place: Place, group: Symmetry, scale: float) -> Tensor:
    """(count, entries of a unit): whole numbers, float64."""
    part = tensor.narrow(place.dim, place.offset, group.count * group.width).movedim(place.dim, 0)
    return part.reshape(group.count, -1).to(torch.float64, copy=True).mul_(scale).round_()
