"""Which files of a folder hold the model's tensors, and whether they are all there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ..errors import FileMissingError, IncompleteModelError, ModelFileError
from ..header import Header, TensorSpec, read_header
from . import strict_json
from .documents import ADAPTER, ADAPTER_CONFIG, INDEX, SHARD, SINGLE, TOKENIZERS, is_pickle
from .sharding import MOST_SHARDS


def weight_names(names: Collection[str], left_out: Iterable[str] = ()) -> list[str]:
    """The weight files among `names`, in order. `left_out`: names of what else lies there, for the message.

    Raises IncompleteModelError, which says what is missing.
    """
    shards = sorted(name for name in names if SHARD.fullmatch(name))
    if ADAPTER in names and (SINGLE in names or shards):
        raise IncompleteModelError(f"there are a model and an adapter, {ADAPTER}: bring each by itself")
    if SINGLE in names:
        if shards or INDEX in names:
            raise IncompleteModelError(f"there are both {SINGLE} and {shards[0] if shards else INDEX}: one too many")
        return [SINGLE]
    if shards:
        _require_all(shards)
        if INDEX not in names:
            raise IncompleteModelError(f"there are {len(shards)} shards, and {INDEX} is missing, which names them")
        return shards
    if INDEX in names:
        raise IncompleteModelError(f"there is {INDEX}, and none of the shards that it names")
    if ADAPTER in names and ADAPTER_CONFIG in names:
        return [ADAPTER]
    if ADAPTER in names or ADAPTER_CONFIG in names:
        has, lacks = (ADAPTER, ADAPTER_CONFIG) if ADAPTER in names else (ADAPTER_CONFIG, ADAPTER)
        raise IncompleteModelError(f"it is an adapter: {has} is there, {lacks} is missing")
    pickles = sorted(name for name in left_out if is_pickle(name))
    if pickles:
        raise IncompleteModelError(
            f"{pickles[0]} is no safetensors file: it is not read, since such a file may run code. "
            f"Write it again with `save_pretrained(…, safe_serialization=True)`"
        )
    what = "a tokenizer" if any(name in names for name in TOKENIZERS) else "documents" if names else "nothing"
    raise IncompleteModelError(f"there is {what} and no weights: {SINGLE}, or shards with {INDEX}")


def read_headers(folder: Path, weights: Iterable[str]) -> dict[str, Header]:
    """Name of the file → its header; with an index, it and the files agree on every tensor.

    Raises MalformedFileError, FileMissingError, ModelFileError.
    """
    headers = {name: read_header(folder / name) for name in weights}
    placed: dict[str, str] = {}
    for file, header in headers.items():
        for tensor in header.tensors:
            if tensor in placed:
                raise ModelFileError(f"`{tensor}` is in {placed[tensor]} and in {file}")
            placed[tensor] = file
    if SINGLE not in headers and ADAPTER not in headers:
        _check_index(folder, placed, headers.keys())
    return headers


def specs_of(headers: Mapping[str, Header]) -> dict[str, TensorSpec]:
    return {name: spec for header in headers.values() for name, spec in header.tensors.items()}


def _require_all(shards: list[str]) -> None:
    found = [(int(match[1]), int(match[2])) for match in map(SHARD.fullmatch, shards) if match]
    counts = {count for _, count in found}
    if len(counts) > 1:
        raise IncompleteModelError(f"{shards[0]} and {shards[-1]} are shards of two different models")
    (count,) = counts
    if not 1 <= count <= MOST_SHARDS:
        raise IncompleteModelError(f"{shards[0]}: a model of {count} shards is none")
    missing = sorted(set(range(1, count + 1)) - {number for number, _ in found})
    if missing:
        first = f"model-{missing[0]:05}-of-{count:05}.safetensors"
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise IncompleteModelError(f"{len(shards)} of {count} shards are there; {first}{more} is missing")
    if len(shards) > count:
        raise IncompleteModelError(f"{shards[0]}: shards are counted from 1 to {count}")


def _check_index(folder: Path, placed: Mapping[str, str], shards: Collection[str]) -> None:
    try:
        data = (folder / INDEX).read_bytes()
    except FileNotFoundError as error:
        raise FileMissingError(f"{INDEX} is not there") from error
    named = strict_json.parse(INDEX, data).get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(file, str) for file in named.values()):
        raise ModelFileError(f"{INDEX} has no weight_map from tensors to files")
    for tensor, file in named.items():
        if file not in shards:
            raise ModelFileError(f"{INDEX} names {file[:200]!r} for `{tensor}`, which is no shard of this model")
        if placed.get(tensor) != file:
            raise ModelFileError(f"{INDEX} has `{tensor}` in {file}; it is {_where(placed.get(tensor))}")
    for tensor, file in placed.items():
        if tensor not in named:
            raise ModelFileError(f"`{tensor}` is in {file}, and {INDEX} does not name it")


def _where(file: str | None) -> str:
    return f"in {file}" if file is not None else "in none of the shards"
