"""A model's tensors, bottom up: what can be cut into layers and stacked. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..registry.families.family import Role
from ..registry.families.layout import Layout, layout_of


@dataclass(frozen=True)
class Stack:
    layout: Layout
    before: tuple[str, ...]
    layers: tuple[tuple[str, ...], ...]
    """Of each layer, what its tensors' names are after `model.layers.3.`."""
    after: tuple[str, ...]

    def names(self) -> list[str]:
        middle = [self.layout.named(layer, rest) for layer, rests in enumerate(self.layers) for rest in rests]
        return [*self.before, *middle, *self.after]

    def cut(self, start: int, stop: int) -> Stack:
        """Layers from start to stop as those of a model of their own."""
        return replace(self, layout=replace(self.layout, depth=stop - start), layers=self.layers[start:stop])


def stack_of(names: Iterable[str]) -> Stack:
    everything = list(names)
    layout = layout_of(everything)
    layers: list[list[str]] = [[] for _ in range(layout.depth)]
    before: list[str] = []
    after: list[str] = []
    for name in everything:
        place = layout.place(name)
        if place.layer is not None:
            layers[place.layer].append(place.rest)
        else:
            (before if place.role in (Role.embedding, Role.position) else after).append(name)
    return Stack(layout, tuple(before), tuple(map(tuple, layers)), tuple(after))


def stacked(models: Sequence[Stack], blocks: Sequence[tuple[int, int]], first: int, last: int) -> Stack:
    """Of blocks (model, layer): with what stands before the layers of model `first`, and after them of `last`."""
    return Stack(
        replace(models[first].layout, depth=len(blocks)),
        models[first].before,
        tuple(models[model].layers[layer] for model, layer in blocks),
        models[last].after,
    )
