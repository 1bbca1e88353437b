"""The JSON text of a safetensors header, read as strictly as the library reads it (serde_json)."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from .errors import Defect, MalformedFileError

MOST_NESTED = 127
"""Levels of nesting that serde_json reads."""


def parse_table(text: bytes) -> dict[str, Any]:
    """Raises MalformedFileError."""
    try:
        table = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_int=_integer,
            parse_float=_real,
        )
        if b"\\u" in text:
            # half of a surrogate pair is valid in JSON's grammar alone
            json.dumps(table, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        defect = Defect.bad_name if isinstance(error, UnicodeEncodeError) else Defect.header_not_json
        why = "holds half of a surrogate pair" if defect is Defect.bad_name else f"is not JSON: {error}"
        raise MalformedFileError(defect, f"the header {why}") from error
    if not isinstance(table, dict):
        raise MalformedFileError(Defect.header_not_json, "the header is JSON, but no object")
    return table


def depth(value: Any) -> int:
    """Levels of lists and objects in each other; 0 for anything else."""
    levels, level = 0, [value]
    while containers := [part for part in level if isinstance(part, dict | list)]:
        levels += 1
        level = [inner for part in containers for inner in (part.values() if isinstance(part, dict) else part)]
    return levels


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise MalformedFileError(Defect.duplicate_name, "the header names something twice")
    return table


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _integer(text: str) -> int | float:
    # beyond 64 bits and below zero (-0 too) they are no sizes, and Python's own have no bound
    return int(text) if len(text) <= 20 and not text.startswith("-") else _real(text)


def _real(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is out of range")
    return number
