"""What a request passes before any route: the token, and a limit on its body."""

from __future__ import annotations

import hmac
import re

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..contract.problem import FieldError
from .problem import problem

MOST_VALUES = 16_384
"""The most fields and items of one body. The largest valid one has about a hundred; each wrong one costs an error."""

STREAMED = re.compile(r"/v1/models/import|/v1/imports/[^/]+/files/[^/]+")
"""Paths of the bodies that may be large; their own limits are applied while they stream in."""


class BearerToken:
    """Everything below /v1 needs the token. Compared in constant time."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["path"] + "/").startswith("/v1/") and not self._admits(scope):
            request = Request(scope)
            await problem("unauthorized", "this route needs a bearer token", request)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        return hmac.compare_digest(scheme.lower() + b" " + token.strip(), self._expected)


class BodyLimit:
    """Refuses a body beyond `max_bytes` by its length, or at the byte that is too many."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or STREAMED.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not length.isdigit() or int(length) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        # Read here, so that the answer is one problem and no route sees half a body. It is small by definition.
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._max_bytes:
                await self._refuse(scope, receive, send)
                return
        # Counted as bytes, since parsing and checking are what must be bounded. A comma in a text counts too; the texts
        # of a valid body together are shorter.
        if body.count(b",") >= MOST_VALUES:
            await self._refuse_values(scope, receive, send)
            return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": bytes(body), "more_body": False}
            return await receive()

        await self._app(scope, replay, send)

    async def _refuse_values(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = f"at most {MOST_VALUES} values in the whole body"
        fault = FieldError(field="body", message="has too many values", allowed=allowed)
        detail = f"body has too many values; {allowed}"
        answer = problem("invalid_request", detail, Request(scope), [fault], errors_omitted=None)
        await answer(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"a body here may have at most {self._max_bytes} bytes"
        await problem("too_large", detail, Request(scope), headers={"Connection": "close"})(scope, receive, send)
