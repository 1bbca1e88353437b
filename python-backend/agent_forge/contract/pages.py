"""Keyset pages: `next_cursor` is opaque, null on the last page."""

from __future__ import annotations

from .base import Resource
from .model import Model
from .run import Run


class RunPage(Resource):
    items: list[Run]
    next_cursor: str | None


class ModelPage(Resource):
    items: list[Model]
    next_cursor: str | None
