"""Greedy decoding: what is said, or only whether it is an answer."""

from __future__ import annotations

from collections.abc import Sequence

from .network import Network
from .reading import Read, next_logits
from .text import Text


def says(
    network: Network, read: Read, answers: Sequence[str], text: Text, stop: Sequence[str], max_new_tokens: int
) -> list[bool]:
    """Whether greedy decoding from each row says its answer and nothing more.

    What is said ends at a token that ends texts, before a text of `stop`, or after so many tokens; white space around
    it does not count. A row that can't become its answer any more is decided, and all end when the last one is: the
    same decisions as those of decoding to the end. Takes `read` further.
    """
    said: list[list[int]] = [[] for _ in answers]
    decided: list[bool | None] = [None] * len(answers)
    for step in range(max_new_tokens):
        chosen = read.logits.argmax(dim=-1).tolist()
        for row, token in enumerate(chosen):
            if decided[row] is not None:
                continue
            if token in text.ends:
                decided[row] = text.said(said[row]).strip() == answers[row]
                continue
            said[row].append(token)
            decided[row] = _decided(text.said(said[row]), answers[row], stop)
        if all(verdict is not None for verdict in decided):
            break
        if step + 1 < max_new_tokens:
            next_logits(network, read, chosen)
    return [
        text.said(tokens).strip() == answer if verdict is None else verdict
        for verdict, tokens, answer in zip(decided, said, answers, strict=True)
    ]


def continued(network: Network, read: Read, text: Text, stop: Sequence[str], max_new_tokens: int) -> list[str]:
    """What greedy decoding says from each row, up to a token that ends texts, before a text of `stop`, or so many
    tokens. Takes `read` further."""
    said: list[list[int]] = [[] for _ in range(len(read.mask))]
    ended = [False] * len(said)
    for step in range(max_new_tokens):
        chosen = read.logits.argmax(dim=-1).tolist()
        for row, token in enumerate(chosen):
            if ended[row] or token in text.ends:
                ended[row] = True
                continue
            said[row].append(token)
            ended[row] = any(mark in text.said(said[row]) for mark in stop)
        if all(ended):
            break
        if step + 1 < max_new_tokens:
            next_logits(network, read, chosen)
    return [_before(text.said(tokens), stop) for tokens in said]


def _before(said: str, stop: Sequence[str]) -> str:
    ends = [place for place in (said.find(mark) for mark in stop if mark) if place >= 0]
    return said[: min(ends)] if ends else said


def _decided(said: str, answer: str, stop: Sequence[str]) -> bool | None:
    """None: it may still become the answer, or go on behind it."""
    begun = said.lstrip()
    # leading white space is none of the answer, and so no place to stop at
    ends = [place for place in (begun.find(mark) for mark in stop) if place >= 0]
    if ends:
        return begun[: min(ends)].strip() == answer
    # a character of several tokens shows as U+FFFD until the last
    whole = begun.rstrip("\ufffd").rstrip()
    return None if answer.startswith(whole) else False
