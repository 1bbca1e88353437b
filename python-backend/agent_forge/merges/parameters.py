"""Parameters of ops checked against what their signatures say. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic_core import SchemaValidator, ValidationError, core_schema

from ..evomerge.merge_methods import merge_method
from .errors import RecipeRefused

_PER_INPUT = frozenset({"density", "drop_rate", "gamma"})
"""Those of which a tensor may have one for each input; of della's also `epsilon`."""
_BOUNDS = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}


def filled(op: str, given: Mapping[str, Any], path: str) -> dict[str, Any]:
    """All of the op's parameters: those given, checked, then the defaults. path: of the op in the request.

    Raises `RecipeRefused`.
    """
    properties: Mapping[str, Any] = merge_method(op).parameters["properties"]
    found = {name: schema.get("default", []) for name, schema in properties.items()}
    for name, value in given.items():
        found[name] = _checked(op, name, value, f"{path}.parameters.{name}")
    if "calibration" in found and not found["calibration"]:
        raise RecipeRefused(
            f"{path}.parameters.calibration",
            f"is needed: {op} measures its inputs; copy it from a recipe that was bred",
        )
    return found


def differing(op: str, given: Mapping[str, Mapping[str, Any]], count: int, path: str) -> dict[str, dict[str, Any]]:
    """As `filled`, of those that differ between tensors. count: inputs."""
    return {
        tensor: {
            name: _by_tensor(op, name, value, count, f"{path}.by_tensor.{tensor}.{name}") for name, value in own.items()
        }
        for tensor, own in given.items()
    }


def _by_tensor(op: str, name: str, value: Any, count: int, path: str) -> Any:
    if isinstance(value, list) and (name in _PER_INPUT or (name == "epsilon" and op.startswith("della"))):
        if len(value) != count:
            raise RecipeRefused(path, f"{len(value)} given for {count} inputs")
        return [_checked(op, name, one, path) for one in value]
    return _checked(op, name, value, path)


def _checked(op: str, name: str, value: Any, path: str) -> Any:
    known: Mapping[str, Any] = merge_method(op).parameters["properties"]
    if name not in known:
        takes = f"takes {', '.join(known)}" if known else "takes none"
        raise RecipeRefused(path, f"is no parameter of {op}, which {takes}")
    try:
        return _validator(op, name).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeRefused(path, f"{first['msg']}, got {first['input']!r}"[:300]) from error


@cache
def _validator(op: str, name: str) -> SchemaValidator:
    return SchemaValidator(_core(merge_method(op).parameters["properties"][name]))


def _core(schema: Mapping[str, Any]) -> core_schema.CoreSchema:
    """The part of JSON schema that ops use."""
    if "anyOf" in schema:
        return core_schema.union_schema([_core(one) for one in schema["anyOf"]])
    if "enum" in schema:
        return core_schema.literal_schema(schema["enum"])
    bounds: dict[str, Any] = {ours: schema[theirs] for theirs, ours in _BOUNDS.items() if theirs in schema}
    match schema["type"]:
        case "integer":
            return core_schema.int_schema(strict=True, **bounds)
        case "number":
            return core_schema.float_schema(strict=True, allow_inf_nan=False, **bounds)
        case "boolean":
            return core_schema.bool_schema(strict=True)
        case "array":
            item = schema.get("items") or schema["prefixItems"][0]
            return core_schema.list_schema(
                _core(item), min_length=schema.get("minItems"), max_length=schema.get("maxItems")
            )
        case "object":
            inner = schema.get("additionalProperties")
            values = _core(inner) if isinstance(inner, dict) else core_schema.any_schema()
            return core_schema.dict_schema(core_schema.str_schema(), values)
        case _:
            return core_schema.str_schema(strict=True)
