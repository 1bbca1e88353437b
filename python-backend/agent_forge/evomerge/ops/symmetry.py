"""Which units of a TinyTitan can change places without changing what the model computes.

- *residual channels*: all readers and writers of the residual stream together, through every block. Layer norm and
  root-mean-square norm treat channels alike.
- *attention heads*: queries, keys, values and the output projection's columns. The memory gate opens each channel of
  what the heads remember, and one gate serves all blocks: so heads change places only in all blocks alike, and the
  gate's rows with them.
- *value channels* of a head: values, the output projection's columns and the gate's rows, again in all blocks alike.
  Not queries and keys: rotary positions turn their channels in fixed pairs, and half of a key is its predecessor's.
- *feed-forward units* of a block, on their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from ...contract.architecture import depth_of


@dataclass(frozen=True)
class Place:
    """Where the units lie in one tensor: along `dim`, from `offset` on."""

    tensor: str
    dim: int
    offset: int = 0


@dataclass(frozen=True)
class Symmetry:
    """`count` units, each `width` entries wide in every place, that are permuted in all places together."""

    count: int
    width: int
    places: tuple[Place, ...]


def symmetries(model: Mapping[str, Tensor], heads: int) -> Iterator[Symmetry]:
    """Those whose tensors are all there. heads: of each block; 0: they and their channels stay."""
    blocks = [f"transformer_blocks.{layer}" for layer in range(depth_of(model))]
    d = model["embedding.weight"].shape[1] if "embedding.weight" in model else 0
    if d and model.keys() == _names(blocks):
        yield Symmetry(d, 1, tuple(_residual(blocks)))
    if d and heads and _attention_names(blocks) <= model.keys():
        width = d // heads
        yield Symmetry(heads, width, tuple(_attention(blocks, (0, d, 2 * d), 0)))
        for head in range(heads):
            yield Symmetry(width, 1, tuple(_attention(blocks, (2 * d,), head * width)))
    for block in blocks:
        first, second = f"{block}.linear1", f"{block}.linear2"
        places = (Place(f"{first}.weight", 0), Place(f"{first}.bias", 0), Place(f"{second}.weight", 1))
        if all(place.tensor in model for place in places):
            yield Symmetry(model[f"{block}.linear1.weight"].shape[0], 1, places)


def _residual(blocks: Iterable[str]) -> Iterator[Place]:
    yield Place("embedding.weight", 1)
    for block in blocks:
        for reader in ("self_attn.in_proj", "linear1"):
            yield Place(f"{block}.{reader}.weight", 1)
        for writer in ("self_attn.out_proj", "linear2", "norm1", "norm2"):
            yield Place(f"{block}.{writer}.weight", 0)
            yield Place(f"{block}.{writer}.bias", 0)
    for reader in ("act_halting", "memory_gate", "output_layer"):
        yield Place(f"{reader}.weight", 1)


def _attention(blocks: Iterable[str], projections: Iterable[int], offset: int) -> Iterator[Place]:
    """projections: first rows of queries, keys or values in `in_proj`."""
    for block in blocks:
        for kind in ("weight", "bias"):
            for projection in projections:
                yield Place(f"{block}.self_attn.in_proj.{kind}", 0, projection + offset)
        yield Place(f"{block}.self_attn.out_proj.weight", 1, offset)
    yield Place("memory_gate.weight", 0, offset)
    yield Place("memory_gate.bias", 0, offset)


def _attention_names(blocks: Iterable[str]) -> set[str]:
    return {place.tensor for place in _attention(blocks, (0,), 0)}


def _names(blocks: list[str]) -> set[str]:
    """All tensors of a TinyTitan of so many blocks."""
    inner = {f"{block}.linear1.bias" for block in blocks} | {"act_halting.bias", "output_layer.bias"}
    return {place.tensor for place in _residual(blocks)} | _attention_names(blocks) | inner
