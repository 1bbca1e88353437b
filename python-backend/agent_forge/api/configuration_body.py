"""A merge configuration as a request's body, beside JSON: read as the JSON that says the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

YAML = "application/yaml"
"""RFC 9512."""
TEXT = {"content": {YAML: {"schema": {"type": "string"}}}}
DOCUMENTS: dict[str, Any] = {"content": {YAML: {"schema": {"description": "one document of YAML, or several"}}}}
"""A schema is of what the text says, not of the text."""


class ConfigurationRoute(APIRoute):
    """Takes `application/yaml`: the text becomes `configuration`, parameters of the query the fields beside it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def read(request: Request) -> Response:
            media_type = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
            return await handle(_Converted(request) if media_type == YAML else request)

        return read


class _Converted(Request):
    def __init__(self, sent: Request) -> None:
        headers = [(name, value) for name, value in sent.scope["headers"] if name != b"content-type"]
        scope = {**sent.scope, "headers": [*headers, (b"content-type", b"application/json")]}
        super().__init__(scope, sent.receive)

    async def body(self) -> bytes:
        if not hasattr(self, "_text"):
            # what is no UTF-8 stays visible, and is refused as text that is no Unicode
            configuration = (await super().body()).decode(errors="surrogateescape")
            self._text = json.dumps({**self.query_params, "configuration": configuration}).encode()
        return self._text
