"""Where each tensor of a model stands: in which layer, and what for. By names alone, so that every model has one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from .family import Family, Role, by_model_type, families

# the first number only: a list within a layer (experts) may be longer than the list of layers
_NUMBERED = re.compile(r"((?:[^.]*[^.\d][^.]*\.)+)(0|[1-9][0-9]{0,4})\.(.+)", re.DOTALL)

_GUESSES = (
    (re.compile(r"lm_head|embed_out|output_layer"), Role.head),
    (re.compile(r"wpe|pos\w*emb|embed_pos"), Role.position),
    (re.compile(r"embed|wte"), Role.embedding),
    (re.compile(r"norm|ln_"), Role.norm),
)
"""For names that no family defines, in this order."""


_STAGES = {Role.embedding: 0, Role.position: 0, Role.head: 3}
"""Before the layers and after everything; between them come the layers (1) and what is left (2)."""


@dataclass(frozen=True, slots=True)
class Place:
    layer: int | None
    """None outside the layers."""
    rest: str
    """The name within its layer; the whole name outside."""
    role: Role


@dataclass(frozen=True, slots=True)
class Layout:
    """Of one model. `family` is None where no family defines its names: layers are the longest numbered list then."""

    family: Family | None
    prefix: str
    """What stands before a layer's number, its dot included; empty where nothing is numbered."""
    depth: int
    """Layers, counted to the highest."""

    def place(self, name: str) -> Place:
        layer, rest = self._split(name)
        named = {} if self.family is None else self.family.outside if layer is None else self.family.inside
        role = named.get(_module(rest)) or named.get(rest)
        if role is None:
            # of a layer's own parts a name says little that could be trusted
            guesses = _GUESSES if layer is None else _GUESSES[-1:]
            role = next((role for pattern, role in guesses if pattern.search(rest)), Role.other)
        return Place(layer, rest, role)

    def order(self, name: str) -> tuple[object, ...]:
        """Sorts names as the model uses them: embedding, layers bottom up, the rest, head; else numbers as numbers."""
        place = self.place(name)
        stage = _STAGES.get(place.role, 2) if place.layer is None else 1
        known = {} if self.family is None else self.family.outside if place.layer is None else self.family.inside
        modules = list(known)
        module = _module(place.rest)
        rank = modules.index(module) if module in known else len(modules)
        parts = [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", place.rest)]
        return (stage, place.layer or 0, rank, not name.endswith("weight"), parts)

    def named(self, layer: int, rest: str) -> str:
        """The tensor's name: the inverse of `place`."""
        return f"{self.prefix}{layer}.{rest}"

    def is_buffer(self, name: str) -> bool:
        """Whether it is computed, not learnt, although a file holds it."""
        return self.family is not None and any(name == end or name.endswith(f".{end}") for end in self.family.buffers)

    def without_buffers(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if not self.is_buffer(name)]

    def by_token(self, name: str, dimensions: int) -> bool:
        """Whether its rows are tokens': the embedding's, the head's, and those of the head's bias."""
        place = self.place(name)
        return place.layer is None and (place.role == Role.head or (place.role == Role.embedding and dimensions == 2))

    def of_role(self, names: Iterable[str], role: Role) -> str | None:
        """The first weight outside the layers that is for this: the embedding's, the head's."""
        return next(
            (
                name
                for name in names
                if name.endswith(("weight", "wte")) and self.place(name) == Place(None, name, role)
            ),
            None,
        )

    def _split(self, name: str) -> tuple[int | None, str]:
        if self.prefix and name.startswith(self.prefix):
            number, _, rest = name[len(self.prefix) :].partition(".")
            if rest and number.isascii() and number.isdigit():
                return int(number), rest
        return None, name


def layout_of(names: Iterable[str], model_type: str | None = None) -> Layout:
    """The layout of a model of these tensors. `model_type`, as `config.json` has it, decides between families whose
    layers are called the same; without it the first family that defines most of the names does."""
    return _layout(tuple(names), model_type)


@lru_cache(maxsize=64)
def _layout(names: tuple[str, ...], model_type: str | None) -> Layout:
    lists: dict[str, int] = {}
    for name in names:
        found = _NUMBERED.fullmatch(name)
        if found:
            lists[found[1]] = max(lists.get(found[1], 0), int(found[2]) + 1)
    own = by_model_type().get(model_type or "")
    fitting = [
        Layout(family, prefix, lists[prefix])
        for family in ([own] if own else families().values())
        for prefix in family.layers
        if prefix in lists
    ]
    if fitting:
        return max(fitting, key=lambda layout: sum(_is_defined(layout, name) for name in names))
    # of equally long lists the first by name: whatever order a file has, the layout is one
    prefix = min(lists, key=lambda prefix: (-lists[prefix], prefix), default="")
    return Layout(None, prefix, lists.get(prefix, 0))


def _is_defined(layout: Layout, name: str) -> bool:
    layer, rest = layout._split(name)
    family = layout.family
    if family is None:
        return False
    known = family.outside if layer is None else family.inside
    return _module(rest) in known or rest in known or layout.is_buffer(name)


def _module(name: str) -> str:
    return name.rpartition(".")[0]
