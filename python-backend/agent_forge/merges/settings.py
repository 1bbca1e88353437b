"""What a parameter is for one tensor: precedence, filters and gradients as mergekit 0.1.5 has them.

The innermost scope that has a value for the tensor counts: a source's parameters, then its slice's, then the
document's. In a scope the first choice without a filter, or whose filter is part of the tensor's name. A gradient is
interpolated over the layers of the slice, its first value at the first layer; what stands in no layer has the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from .configuration import Setting, Settings

Kind = Literal["number", "whole", "flag"]


@dataclass(frozen=True)
class Place:
    """A tensor in its slice. t: from 0 at the first layer to 1 at the last, 0 in no layer."""

    name: str
    t: float


def layer_place(name: str, index: int, count: int) -> Place:
    """In layer `index` of `count`; a lone layer is the last."""
    return Place(name, index / (count - 1) if count > 1 else 1.0)


def resolve(name: str, kind: Kind, scopes: Iterable[Settings], place: Place) -> tuple[Any, Setting] | None:
    """Value and where it stands. scopes: the innermost first. None where no scope sets the parameter for this tensor.

    Raises `ConfigurationRefused` where a value is not of its kind.
    """
    for scope in scopes:
        if name in scope:
            value = _evaluated(scope[name], kind, place)
            if value is not None:
                return value, scope[name]
    return None


def _evaluated(setting: Setting, kind: Kind, place: Place) -> Any:
    for choice in setting.choices:
        if choice.filter is None or choice.filter in place.name:
            values = [_of_kind(value, kind, setting) for value in choice.values]
            if not choice.gradient:
                return values[0]
            scaled = place.t * (len(values) - 1)
            first = int(scaled)
            if kind != "number":
                return values[first]
            share = scaled - first
            return (1 - share) * values[first] + share * values[min(first + 1, len(values) - 1)]
    return None


def _of_kind(value: Any, kind: Kind, setting: Setting) -> Any:
    if kind == "flag":
        if isinstance(value, bool):
            return value
        if value in (0, 1):
            return bool(value)
        raise setting.refused(f"{value!r} is neither true nor false")
    if isinstance(value, str):
        # YAML takes 1e-3 for text
        try:
            value = float(value)
        except ValueError:
            raise setting.refused(f"{value!r} is no number") from None
    if kind == "whole":
        if isinstance(value, bool) or value != int(value):
            raise setting.refused(f"{value!r} is no whole number")
        return int(value)
    number = float(value)
    if number in (float("inf"), float("-inf")) or number != number:
        raise setting.refused(f"{value!r} is no finite number")
    return number
