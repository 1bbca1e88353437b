"""The text of tokens as they come, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

CHARACTER = 4
"""Bytes of a character of UTF-8 at most, and so the tokens that it may take."""
_CONTEXT = 4
_UNFINISHED = "\ufffd"


class Spelling:
    """What each token adds to a text. A token by itself would lose the space before its word in some tokenizers, and
    show half a character in others: it is read behind those before it."""

    def __init__(self, decode: Callable[[Sequence[int]], str], before: Sequence[int] = ()) -> None:
        """before: tokens that the text goes on from."""
        self._decode = decode
        self._before = list(before)[-_CONTEXT:]
        self._waiting: list[int] = []

    def add(self, token: int) -> str:
        """Empty while a character is not complete; after four tokens it never will be."""
        text = self.of(token)
        self._waiting.append(token)
        if text.endswith(_UNFINISHED) and len(self._waiting) < CHARACTER:
            return ""
        self._before, self._waiting = self._waiting, []
        return text

    def of(self, token: int) -> str:
        """What the token would add, with those that wait before it."""
        return self._decode([*self._before, *self._waiting, token])[len(self._decode(self._before)) :]
