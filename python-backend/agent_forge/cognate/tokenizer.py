"""Text to token ids and back: bytes with specials, or a Hugging Face tokenizer.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer as HubTokenizer
from tokenizers.models import BPE

from .errors import InvalidSetting
from .userfile import resolve_file

MAX_TOKENIZER_BYTES = 16 * 2**20
"""Several times as much as the largest preset's vocabulary needs; read in about a second, before a run is admitted."""
_ABSENT = "(no token for the unknown)"


class Tokenizer(Protocol):
    pad: int
    end: int
    """Ends an answer."""

    def encode(self, text: str) -> list[int]: ...

    def character(self, character: str) -> int:
        """One token for one character, for problems that are spelled."""

    def decode(self, ids: Sequence[int]) -> str:
        """Specials and ids without text are left out; bytes that are not UTF-8 become U+FFFD."""


class ByteTokenizer:
    """UTF-8 bytes 0–255, then 256 padding, 257 end of answer; 258–263 are reserved."""

    pad = 256
    end = 257

    def encode(self, text: str) -> list[int]:
        return list(text.encode("utf-8"))

    def character(self, character: str) -> int:
        return character.encode("utf-8")[-1]

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(i for i in ids if i < 256).decode("utf-8", errors="replace")


class FileTokenizer:
    """A tokenizer.json. Its own `<pad>` and end tokens where it has them, else the two ids after its last.

    Its truncation and padding are off: lengths are ours. What it does not know becomes its unknown token, or is refused
    where it has none; what its normalizer or pre-tokenizer drops, such as spaces or accents, it means to drop.
    """

    def __init__(self, path: Path, vocab_size: int, field: str = "tokenizer") -> None:
        try:
            # The library raises a bare Exception for a file that it cannot read.
            self._inner = HubTokenizer.from_file(str(path))
        except Exception as error:
            raise InvalidSetting(field, str(path), f"is not a tokenizer.json: {error}") from error
        self._inner.no_truncation()
        self._inner.no_padding()
        model = self._inner.model
        if isinstance(model, BPE) and model.unk_token is None:
            # Alone among the models it would leave out what it does not know.
            model.unk_token = _ABSENT
        described = json.loads(self._inner.to_str())["model"]
        self._unknown = described.get("unk_id", self._inner.token_to_id(described.get("unk_token") or ""))
        size = self._inner.get_vocab_size(with_added_tokens=True)
        highest = max(self._inner.get_vocab(with_added_tokens=True).values(), default=-1)
        pad = next((i for t in ("<pad>", "[PAD]", "<|pad|>") if (i := self._inner.token_to_id(t)) is not None), None)
        end = next(
            (i for t in ("</s>", "<|endoftext|>", "[SEP]", "<eos>") if (i := self._inner.token_to_id(t)) is not None),
            None,
        )
        self.pad = highest + 1 if pad is None else pad
        self.end = max(highest, self.pad) + 1 if end is None else end
        if max(highest, self.pad, self.end) >= vocab_size:
            raise InvalidSetting(
                field, str(path), f"has {size} tokens, padding and end apart", f"ids below {vocab_size}"
            )
        self.character = cache(self._character)

    def encode(self, text: str) -> list[int]:
        try:
            found = self._inner.encode(text, add_special_tokens=False)
        except Exception as error:  # again a bare one
            message = f"has no token for something in this text, and none for the unknown: {error}"
            raise InvalidSetting("tokenizer", text, message, "a tokenizer.json that knows the text") from error
        ids: list[int] = found.ids
        return ids

    def _character(self, character: str) -> int:
        ids = self.encode(character)
        if not ids or ids[-1] == self._unknown:
            raise InvalidSetting("tokenizer", character, "has no token for a character of the built-in problems")
        return ids[-1]

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._inner.decode([i for i in ids if i not in (self.pad, self.end)], skip_special_tokens=True)
        return text


def resolve_tokenizer_path(name: str, roots: Sequence[Path]) -> Path:
    """A .json file. Raises InvalidSetting."""
    return resolve_file(name, roots, [".json"], MAX_TOKENIZER_BYTES, "tokenizer", "`bytes`, or file:<path> of ")


def load_tokenizer(name: str, vocab_size: int, roots: Sequence[Path]) -> Tokenizer:
    if name == "bytes":
        return ByteTokenizer()
    return FileTokenizer(resolve_tokenizer_path(name, roots), vocab_size)
