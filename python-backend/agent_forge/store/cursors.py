"""Opaque keyset cursors: the sort key of the last row of a page."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from ..contract.problem import FieldError
from .errors import Refusal


def encode(*key: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str, *types: type) -> tuple[Any, ...]:
    """Raises `Refusal` for what `encode` did not make of these types."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        key = None
    if (
        not isinstance(key, list)
        or len(key) != len(types)
        or not all(type(part) is kind for part, kind in zip(key, types, strict=True))
        or any(isinstance(part, int) and abs(part) >= 2**63 for part in key)
    ):
        error = FieldError(field="cursor", message="not a cursor of this list", value=cursor, allowed="`next_cursor`")
        raise Refusal("invalid_request", "the cursor is not one of this list's", [error])
    return tuple(key)
