"""The merge methods, for whoever must not load torch: read from what `export` wrote."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pydantic import TypeAdapter

from ..contract.model import MergeMethod

_METHODS = TypeAdapter(list[MergeMethod])


@cache
def merge_methods() -> list[MergeMethod]:
    """Every merge op with its JSON schema, sorted by name."""
    return _METHODS.validate_json(files(__package__).joinpath("catalogue.json").read_bytes())
