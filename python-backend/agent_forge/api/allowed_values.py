"""The allowed values of a request's field, in words, from the specification that the client can read too."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request

_TYPES = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}


def allowed_in_words(request: Request, location: tuple[Any, ...]) -> str | None:
    """`location` as in pydantic's errors: (`body` | `query` | …, field, …). None where nothing is known of it."""
    app: FastAPI = request.app
    route = request.scope.get("route")
    if route is None:
        return None
    spec = app.openapi()
    # The route's own path lacks the prefix of the router that it was included through, in some versions.
    paths = (path for path in (getattr(route, "path", ""), f"/v1{getattr(route, 'path', '')}") if path in spec["paths"])
    operation: dict[str, Any] | None = spec["paths"].get(next(paths, ""), {}).get(request.method.lower())
    if operation is None or len(location) < 2:
        return None
    if location[0] == "body":
        content = operation.get("requestBody", {}).get("content", {})
        schema, steps = content.get("application/json", {}).get("schema"), location[1:]
    else:
        found = (p for p in operation.get("parameters", []) if p["name"].lower() == str(location[1]).lower())
        schema, steps = next(found, {"schema": None})["schema"], location[2:]
    for step in steps:
        schema = _inside(_plain(schema, spec), step)
    return words(_plain(schema, spec)) if schema is not None else None


def _plain(schema: dict[str, Any] | None, spec: dict[str, Any]) -> dict[str, Any]:
    """References followed; of `x or null` the x, for null is never what was wrong."""
    while schema is not None:
        if "$ref" in schema:
            schema = spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
            continue
        options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
        if len(options) != 1:
            return schema
        schema = options[0]
    return {}


def _inside(schema: dict[str, Any], step: Any) -> dict[str, Any] | None:
    if isinstance(step, int):
        items: dict[str, Any] | None = schema.get("items")
        return items
    properties = schema.get("properties", {})
    if step in properties:
        found: dict[str, Any] = properties[step]
        return found
    return {"enum": list(properties)} if properties else None


def words(schema: dict[str, Any]) -> str | None:
    """`0.0 to 1.0`, `more than 0 and up to 1`, `one of nano, tinytitan, wide`, `2 to 16 entries`, …"""
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if "const" in schema:
        return str(schema["const"])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _numbers(schema) or _TYPES[kind]
    if kind == "string":
        if "pattern" in schema:
            return f"text that matches {schema['pattern']}"
        return _counted(schema.get("minLength"), schema.get("maxLength"), "characters") or _TYPES[kind]
    if kind == "array":
        return _counted(schema.get("minItems"), schema.get("maxItems"), "entries") or "a list"
    return _TYPES.get(str(kind))


def _numbers(schema: dict[str, Any]) -> str | None:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"{low} to {high}"
    lower = f"{low} or more" if low is not None else f"more than {above}" if above is not None else None
    upper = f"up to {high}" if high is not None else f"less than {below}" if below is not None else None
    return " and ".join(part for part in (lower, upper) if part) or None


def _counted(low: int | None, high: int | None, noun: str) -> str | None:
    if low is not None and high is not None:
        return f"{low} to {high} {noun}"
    if low is not None:
        return f"at least {low} {noun}"
    return f"at most {high} {noun}" if high is not None else None
