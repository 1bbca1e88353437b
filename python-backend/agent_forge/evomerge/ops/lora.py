from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...registry.bundle.adapter import ends_with
from ..errors import ShapesDiffer
from .chunks import converted, made
from .compiled import Array, Floats, kernel
from .registry import Inputs, Models, StateDict, merge_op

_PREFIX = "base_model.model."
_MATRIX = re.compile(r"(.+)\.lora_(embedding_)?([AB])(\.weight)?")


@merge_op(
    source="Hu et al. 2022, LoRA, arXiv:2106.09685; Kalajdzievski 2023, rsLoRA, arXiv:2312.03732",
    copies=True,
    adapts=True,
)
def lora(
    models: Annotated[Models, Inputs(2, 2)],
    *,
    alpha: Annotated[
        float, Field(ge=-1e6, le=1e6, description="α of all modules but those of `alpha_by_module`")
    ] = 1.0,
    alpha_by_module: Annotated[
        dict[str, float], Field(description="α of modules whose name ends so; the first that fits counts")
    ] = {},  # noqa: B006 - a default of the schema, never changed
    rank_stabilized: Annotated[bool, Field(description="rsLoRA: α over √r, not over r")] = False,
    fan_in_fan_out: Annotated[bool, Field(description="the base's square matrices are (in, out), as GPT-2's")] = False,
) -> StateDict:
    """A base with an adapter merged onto it: θ + (α / r)·BA for each module that the adapter has matrices A (r, in) and
    B (out, r) of. The first input is the base, the second the adapter, its tensors named as peft names them.

    Tensors that the adapter holds whole (`modules_to_save`, biases) replace the base's. All others stay as they are.
    Products are summed over the rank, from the first to the last.

    Edges: an adapter without tensors, and α of 0, leave the base as it is. In recipes, an adapter of modules that the
    base does not have is refused, as are other shapes.

    mergekit: does the same by `model+adapter`, in the type of the base.
    """
    base, adapter = models[0], models[1]
    found: dict[str, str] = {}
    for name in adapter:
        place = _place(base, name)
        if place is not None:
            found[place] = name
        elif all(tensor.is_meta for tensor in base.values()):
            # what is made tensor by tensor was looked at as a whole before
            raise ShapesDiffer(f"lora: the adapter has `{name}`, of which the base has nothing")

    def changed(name: str, tensor: Tensor) -> Tensor:
        key = found[name]
        if _MATRIX.fullmatch(key) is None:
            return _replaced(name, tensor, adapter[key])
        pair = _pair(name, tensor, adapter, key, fan_in_fan_out)
        if tensor.is_meta:
            return torch.empty_like(tensor)
        own = next((value for end, value in alpha_by_module.items() if ends_with(pair.module, end)), alpha)
        return _sum(tensor, pair, own / (pair.rank**0.5 if rank_stabilized else pair.rank))

    return {name: changed(name, tensor) if name in found else tensor for name, tensor in base.items()}


def _place(base: Mapping[str, Tensor], name: str) -> str | None:
    """The base's tensor that one of the adapter's is for; its name may lack, or have, that of the network within."""
    rest = name.removeprefix(_PREFIX)
    if rest == name:
        return None
    matrix = _MATRIX.fullmatch(rest)
    own = f"{matrix[1]}.weight" if matrix is not None else rest
    candidates = (own, own.partition(".")[2], f"transformer.{own}", f"model.{own}")
    return next((one for one in candidates if one in base), None)


def _replaced(name: str, tensor: Tensor, other: Tensor) -> Tensor:
    if other.shape != tensor.shape:
        raise ShapesDiffer(f"lora: `{name}` is {tuple(other.shape)} in the adapter, {tuple(tensor.shape)} in the base")
    return torch.empty_like(tensor) if tensor.is_meta else converted(other, tensor.dtype)


@dataclass(frozen=True)
class _Pair:
    """left (rows, rank) · right (rank, columns) is what is added, but for its factor."""

    module: str
    left: Tensor
    right: Tensor

    @property
    def rank(self) -> int:
        return self.left.shape[1]


def _pair(name: str, tensor: Tensor, adapter: Mapping[str, Tensor], key: str, fan_in_fan_out: bool) -> _Pair:
    matrix = _MATRIX.fullmatch(key)
    assert matrix is not None  # noqa: S101 - the caller asked
    stem, embedding, end = matrix[1], matrix[2] or "", matrix[4] or ""
    down, up = (adapter[f"{stem}.lora_{embedding}{side}{end}"] for side in "AB")
    straight = (up.shape[0], down.shape[1]) == tuple(tensor.shape)
    turned = (down.shape[1], up.shape[0]) == tuple(tensor.shape)
    if not straight and not turned:
        product = (up.shape[0], down.shape[1])
        raise ShapesDiffer(f"lora: `{name}` is {tuple(tensor.shape)}, the adapter's product for it {product}")
    if embedding or not straight or (turned and fan_in_fan_out):
        down, up = up.T, down.T
    return _Pair(stem.removeprefix(_PREFIX), up, down)


def _sum(tensor: Tensor, pair: _Pair, scale: float) -> Tensor:
    columns = tensor.shape[1]
    left, right = (part.double().contiguous().numpy() for part in (pair.left, pair.right))

    def fill(out: Array, arrays: tuple[Array, ...], first: int) -> None:
        _add_product(out, arrays[0], left[first // columns :], right, scale)

    return made([tensor], fill, columns=columns)


@kernel
def _add_product(out: Array, base: Array, left: Floats, right: Floats, scale: float) -> None:
    """(n·columns,) base + scale · left·right of the n rows that `out` has."""
    rank, columns = right.shape
    total = np.zeros(columns)
    for row in range(len(out) // columns):
        total[:] = 0.0
        for part in range(rank):
            factor = left[row, part]
            for column in range(columns):
                total[column] += factor * right[part, column]
        for column in range(columns):
            at = row * columns + column
            out[at] = np.float64(base[at]) + scale * total[column]
