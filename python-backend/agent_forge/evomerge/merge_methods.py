"""The merge methods, for code that must not load torch: read from what `export` wrote."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pydantic import TypeAdapter

from ..contract.model import MergeMethod
from .errors import UnknownOp

_METHODS = TypeAdapter(list[MergeMethod])


@cache
def merge_methods() -> list[MergeMethod]:
    """Every merge op with its JSON schema, sorted by name."""
    return _METHODS.validate_json(files(__package__).joinpath("merge_methods.json").read_bytes())


def merge_method(name: str) -> MergeMethod:
    """Raises `UnknownOp`."""
    found = {method.name: method for method in merge_methods()}
    if name not in found:
        raise UnknownOp(f"`{name}` is not a merge method; the methods are {', '.join(found)}")
    return found[name]


def weighing(least: int, most: int) -> list[str]:
    """Merge methods that take a weight for each input, of which there are from `least` to `most`."""
    return [
        method.name
        for method in merge_methods()
        if "weights" in method.parameters["properties"]
        and method.min_inputs <= least
        and (method.max_inputs is None or most <= method.max_inputs)
    ]
