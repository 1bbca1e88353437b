"""JSON of a stranger: bounded in depth, each name once, numbers that are numbers, an object at the top."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from ..errors import ModelFileError
from ..header_text import depth

MOST_NESTED = 64
_MOST_DIGITS = 64
"""transformers writes int(1e30), of 31 digits, where a tokenizer has no `model_max_length`."""


def parse(name: str, data: bytes) -> dict[str, Any]:
    """The document `name`. Raises ModelFileError; takes what its length allows in time and memory, no more."""
    try:
        found = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_real, parse_int=_whole
        )
    except RecursionError:
        raise ModelFileError(f"{name} is nested more than {MOST_NESTED} levels deep") from None
    except ValueError as error:
        raise ModelFileError(f"{name} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ModelFileError(f"{name} is JSON, but no object")
    if depth(found) > MOST_NESTED:
        raise ModelFileError(f"{name} is nested more than {MOST_NESTED} levels deep")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice[:80]!r} is named twice in one object")
    return table


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _whole(text: str) -> int:
    # Python's integers have no bound, and one of a megabyte takes minutes to read
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"{text[:20]}… is out of range")
    return int(text)


def _real(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is out of range")
    return number
