"""The allowed values of a request's field, in words, from the specification that the client can read too.

The gateway says the same in the same words (`gateway/src/edge/allowed-values.ts`): tests/openapi/allowed-values.json
binds both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from fastapi import FastAPI, Request

Schema = dict[str, Any]

_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}


def allowed_in_words(request: Request, location: tuple[Any, ...]) -> str | None:
    """`location` as in pydantic's errors: (`body` | `query` | …, field, …). None where nothing is known of it."""
    app: FastAPI = request.app
    route = request.scope.get("route")
    if route is None:
        return None
    spec = app.openapi()
    # The route's own path lacks the prefix of the router that it was included through, in some versions.
    paths = (path for path in (getattr(route, "path", ""), f"/v1{getattr(route, 'path', '')}") if path in spec["paths"])
    operation: Schema | None = spec["paths"].get(next(paths, ""), {}).get(request.method.lower())
    if operation is None or len(location) < 2:
        return None
    if location[0] == "body":
        content = operation.get("requestBody", {}).get("content", {})
        schema, steps = content.get("application/json", {}).get("schema"), location[1:]
    else:
        found = (p for p in operation.get("parameters", []) if p["name"].lower() == str(location[1]).lower())
        schema, steps = next(found, {"schema": None})["schema"], location[2:]
    return None if schema is None else allowed_at(spec, schema, [str(step) for step in steps])


def allowed_at(spec: Schema, schema: Schema, path: Sequence[str]) -> str | None:
    """What is allowed at a path of property names and indices below `schema`.

    Where there is no such field: the names of those that there are. None where the specification says nothing of it.
    """
    found = _schema_at(spec, schema, path)
    if found is not None:
        return _words(spec, found)
    parent = _schema_at(spec, schema, path[:-1])
    names = _fields(spec, parent) if parent is not None else []
    return f"one of {', '.join(names)}" if names else None


def _schema_at(spec: Schema, schema: Schema, path: Sequence[str]) -> Schema | None:
    here = _resolve(spec, schema)
    if not path:
        return here
    head, *rest = path
    additional = here.get("additionalProperties")
    inner: Schema | None = here.get("properties", {}).get(head)
    if inner is None and head.isdecimal():
        inner = here.get("items")
    if inner is None and isinstance(additional, dict):
        inner = additional
    if inner is not None:
        return _schema_at(spec, inner, rest)
    found = (_schema_at(spec, branch, path) for branch in _branches(here))
    return next((branch for branch in found if branch is not None), None)


def _fields(spec: Schema, schema: Schema) -> list[str]:
    here = _resolve(spec, schema)
    inner = (name for branch in _branches(here) for name in _fields(spec, branch))
    return list(dict.fromkeys([*here.get("properties", {}), *inner]))


def _words(spec: Schema, schema: Schema) -> str | None:
    here = _resolve(spec, schema)
    if "enum" in here:
        return f"one of {', '.join(map(_value, here['enum']))}"
    if "const" in here:
        return _value(here["const"])
    kind = here.get("type")
    alternatives = [here | {"type": each} for each in kind] if isinstance(kind, list) else _branches(here)
    if alternatives:
        words = [_words(spec, each) for each in alternatives]
        return " or ".join(dict.fromkeys(text for text in words if text)) or None
    return ", ".join(text for text in (kind, *_limits(here)) if text) or None


def _limits(schema: Schema) -> list[str | None]:
    """The limits that have a meaning for the type."""
    match schema.get("type"):
        case "integer" | "number":
            return [_range(schema)]
        case "string":
            pattern = schema.get("pattern")
            counted = _span("character", schema.get("minLength"), schema.get("maxLength"))
            return [counted, None if pattern is None else f"matching {pattern}"]
        case "array":
            return [_span("item", schema.get("minItems"), schema.get("maxItems"))]
        case "object" if schema.get("additionalProperties") is False and "properties" in schema:
            return [f"with {', '.join(schema['properties'])}"]
        case _:
            return []


def _range(schema: Schema) -> str | None:
    if "minimum" in schema and "maximum" in schema:
        return f"{_number(schema['minimum'])} to {_number(schema['maximum'])}"
    words = [f"{text} {_number(schema[key])}" for key, text in _BOUNDS.items() if key in schema]
    return " and ".join(words) or None


def _span(unit: str, least: int | None, most: int | None) -> str | None:
    counted = unit if (least if most is None else most) == 1 else f"{unit}s"
    if least is None:
        return None if most is None else f"at most {most} {counted}"
    if most is None:
        return f"at least {least} {counted}"
    return f"exactly {least} {counted}" if least == most else f"{least} to {most} {counted}"


def _number(value: float) -> str:
    """0.0 as 0, 1e-05 as 0.00001: as JavaScript has it."""
    return format(Decimal(int(value) if value == int(value) else repr(value)), "f")


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _branches(schema: Schema) -> list[Schema]:
    return [branch for key in ("allOf", "anyOf", "oneOf") for branch in schema.get(key, [])]


def _resolve(spec: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema
