"""Text to tokens and back, by the tokenizer.json of a model's folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from .errors import NotRunnable

_FILE, _CONFIG, _GENERATION = "tokenizer.json", "tokenizer_config.json", "generation_config.json"


class Text:
    """A folder's tokenizer with the tokens that end an answer. Raises NotRunnable where there is none to read."""

    def __init__(self, folder: Path, *, begins: bool = True) -> None:
        """begins: set the tokens before a prompt that the tokenizer sets there; a chat template writes its own."""
        self._begins = begins
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / _FILE))
        except Exception as error:  # the library raises nothing narrower
            raise NotRunnable(f"{_FILE} cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        config = _json(folder / _CONFIG)
        self.size: int = self._tokenizer.get_vocab_size(with_added_tokens=True)
        named = [self._tokenizer.token_to_id(_content(config.get("eos_token")))]
        listed = _json(folder / _GENERATION).get("eos_token_id")
        self.ends = frozenset(
            token
            for token in (*named, *(listed if isinstance(listed, list) else [listed]))
            if isinstance(token, int) and 0 <= token < self.size
        )
        """Tokens after which an answer is over."""

    def prompt(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=self._begins).ids)

    def parted(self, prompt: str, answer: str) -> tuple[list[int], list[int]]:
        """Tokens of both, as they are read one after the other: those of the whole text, cut behind the prompt.

        White space between the two belongs to the answer, since tokenizers join it with the word behind it. Where
        prompt and answer would share a token, each is encoded by itself.
        """
        bare = prompt.rstrip()
        rest = prompt[len(bare) :] + answer
        before = self.prompt(bare)
        whole = self.prompt(bare + rest)
        after = whole[len(before) :] if whole[: len(before)] == before else []
        if not after:
            after = list(self._tokenizer.encode(rest, add_special_tokens=False).ids)
        return before, after

    def shown(self, tokens: Sequence[int]) -> str:
        """As `said`, with special tokens by their names."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=False))

    def said(self, tokens: Sequence[int]) -> str:
        """Text of generated tokens, special ones left out."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise NotRunnable(f"{path.name} cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}


def _content(token: Any) -> str:
    """Of a token that is named as text or as an object."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else ""
