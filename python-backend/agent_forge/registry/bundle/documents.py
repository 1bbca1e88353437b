"""The names that a file of a model may have, and how large it may be. All others are left where they are.

A fixed list, so that nothing that came with a model can run or reach beyond its folder: no code, no pickles, no path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ..errors import ModelFileError, TooLargeError

FileFormat = Literal["safetensors", "pt", "json", "text", "sentencepiece"]

INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
ADAPTER = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
SINGLE = "model.safetensors"
SHARD = re.compile(r"model-(\d{5})-of-(\d{5})\.safetensors", re.ASCII)
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
"""One of these makes a tokenizer."""
_BESIDE_TOKENIZERS = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "chat_template.json",
    "chat_template.jinja",
)

_KIB, _MIB = 2**10, 2**20


@dataclass(frozen=True, slots=True)
class Kind:
    format: FileFormat
    most_bytes: int | None
    """None: bounded by what the registry takes of weights."""
    checked_apart: bool = False
    """Large enough that the process behind verify and predict reads it, not the one that answers requests."""


_SMALL_JSON = Kind("json", 256 * _KIB)
_TEXT = Kind("text", _MIB)
_DOCUMENTS: dict[str, Kind] = {
    CONFIG: _SMALL_JSON,
    "generation_config.json": _SMALL_JSON,
    ADAPTER_CONFIG: _SMALL_JSON,
    INDEX: Kind("json", 16 * _MIB),
    "tokenizer.json": Kind("json", 64 * _MIB, checked_apart=True),
    "tokenizer_config.json": Kind("json", 4 * _MIB, checked_apart=True),
    "special_tokens_map.json": Kind("json", _MIB, checked_apart=True),
    "added_tokens.json": Kind("json", 4 * _MIB, checked_apart=True),
    "vocab.json": Kind("json", 16 * _MIB, checked_apart=True),
    "recipe.json": Kind("json", 16 * _MIB, checked_apart=True),
    "chat_template.json": _SMALL_JSON,
    "chat_template.jinja": Kind("text", 256 * _KIB),
    "merges.txt": Kind("text", 16 * _MIB, checked_apart=True),
    "vocab.txt": Kind("text", 16 * _MIB, checked_apart=True),
    "tokenizer.model": Kind("sentencepiece", 16 * _MIB),
    "README.md": _TEXT,
    "LICENSE": _TEXT,
    "LICENSE.txt": _TEXT,
    "NOTICE": _TEXT,
}
_WEIGHTS = Kind("safetensors", None)

_PICKLES = re.compile(r"\.(bin|pt|pth|pkl|pickle|ckpt|msgpack|h5|ot|npz|npy)$", re.IGNORECASE)
_CODE = re.compile(r"\.(py|pyc|so|sh|dll|exe)$", re.IGNORECASE)

ALLOWED = ", ".join(("model.safetensors", "model-00001-of-0000N.safetensors", ADAPTER, *_DOCUMENTS))


def kind_of(name: str) -> Kind | None:
    """What a file of this name is; None for a name that is not on the list."""
    if name in (SINGLE, ADAPTER) or SHARD.fullmatch(name):
        return _WEIGHTS
    return _DOCUMENTS.get(name)


def is_tokenizer(name: str) -> bool:
    """Whether it is of what reads and writes text."""
    return name in TOKENIZERS or name in _BESIDE_TOKENIZERS


def is_pickle(name: str) -> bool:
    return _PICKLES.search(name) is not None


def left_out(name: str) -> str:
    """Why a file whose name is not on the list is left out."""
    if "/" in name or "\\" in name or name.startswith("."):
        return "lies in a folder of its own, or is hidden: only files at the top of the model's folder are taken"
    if is_pickle(name):
        return "is no safetensors file: other formats of weights may run code when they are read"
    if _CODE.search(name):
        return "is code: nothing runs that came with a model"
    return "is none of the files that make a model"


def require_kind(name: str, size: int, limit_bytes: int) -> Kind:
    """Raises ModelFileError for a name that is not on the list, TooLargeError for more than such a file may have."""
    kind = kind_of(name)
    if kind is None:
        raise ModelFileError(f"{name[:200]!r} {left_out(name)}. Taken are {ALLOWED}")
    most = limit_bytes if kind.most_bytes is None else kind.most_bytes
    if size > most:
        raise TooLargeError(f"{name} has {size} bytes, the limit is {most}")
    return kind
