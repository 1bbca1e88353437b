"""Text to token ids and back: bytes with specials, or a Hugging Face tokenizer.json."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer as HubTokenizer

from .errors import InvalidSetting

MAX_TOKENIZER_BYTES = 64 * 2**20


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
    """A tokenizer.json. Its own `<pad>` and end tokens where it has them, else the two ids after its last."""

    def __init__(self, path: Path, vocab_size: int, field: str = "tokenizer") -> None:
        try:
            # The library raises a bare Exception for a file that it cannot read.
            self._inner = HubTokenizer.from_file(str(path))
        except Exception as error:
            raise InvalidSetting(field, str(path), f"is no tokenizer.json: {error}") from error
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
        ids: list[int] = self._inner.encode(text, add_special_tokens=False).ids
        return ids

    def _character(self, character: str) -> int:
        ids = self.encode(character)
        if not ids:
            raise InvalidSetting("tokenizer", character, "has no token for a character of the built-in problems")
        return ids[-1]

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._inner.decode([i for i in ids if i not in (self.pad, self.end)], skip_special_tokens=True)
        return text


def resolve_tokenizer_path(name: str, roots: Sequence[Path]) -> Path:
    """As for datasets: a .json file below one of `roots`. Raises InvalidSetting."""
    resolved_roots = [root.resolve() for root in roots]
    allowed = f"`bytes`, or file:<path> of a .json file below {', '.join(map(str, resolved_roots)) or 'no directory'}"
    if not name.startswith("file:") or "\0" in name or len(name) == 5:
        raise InvalidSetting("tokenizer", name, "is no tokenizer", allowed)
    for root in resolved_roots:
        path = (root / name.removeprefix("file:")).resolve()
        if path.is_relative_to(root) and path.suffix == ".json" and path.is_file():
            if path.stat().st_size > MAX_TOKENIZER_BYTES:
                raise InvalidSetting("tokenizer", name, "is too large", f"up to {MAX_TOKENIZER_BYTES} bytes")
            return path
    raise InvalidSetting("tokenizer", name, "is not there", allowed)


def load_tokenizer(name: str, vocab_size: int, roots: Sequence[Path]) -> Tokenizer:
    if name == "bytes":
        return ByteTokenizer()
    return FileTokenizer(resolve_tokenizer_path(name, roots), vocab_size)
