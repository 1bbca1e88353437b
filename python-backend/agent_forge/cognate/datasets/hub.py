"""`hf:` datasets, through the optional `datasets` package, its cache or the network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from ..errors import InvalidSetting
from .problem import Problem
from .text import TextDataset, text_dataset

_PART = r"[A-Za-z0-9_]+([.-]+[A-Za-z0-9_]+)*"
_NAME = re.compile(rf"hf:{_PART}/{_PART}(:{_PART})?")
"""No part can be `.` or `..`, and there is always an owner: what is left is never taken for a file or a loader."""

_PROMPTS = ("prompt", "question", "question_concat", "problem", "input", "instruction")
_ANSWERS = ("answer", "Answer", "solution", "output", "response", "completion")


def hub_id(name: str, field: str = "datasets") -> tuple[str, str | None]:
    """`<owner>/<name>` and the configuration, if one is named. Raises InvalidSetting."""
    if _NAME.fullmatch(name) is None:
        raise InvalidSetting(
            field, name, "is not a dataset of the hub", "hf:<owner>/<name> or hf:<owner>/<name>:<configuration>"
        )
    identifier, _, configuration = name.removeprefix("hf:").partition(":")
    return identifier, configuration or None


def load_hub(name: str, field: str = "datasets") -> TextDataset:
    """The train split. Raises InvalidSetting with what stands in the way."""
    identifier, configuration = hub_id(name, field)
    # As an address: by its bare id, the library takes a folder of that name for the dataset.
    address = f"hf://datasets/{identifier}"
    try:
        library: Any = import_module("datasets")
    except ModuleNotFoundError as error:
        raise InvalidSetting(
            field, name, "needs the package `datasets`, which is not installed: pip install 'agent-forge[hf]'"
        ) from error
    try:
        rows = library.load_dataset(address, configuration, split="train")
    except Exception as error:  # whatever the library, its cache or the network raises, the user must see
        raise InvalidSetting(field, name, f"cannot be loaded: {type(error).__name__}: {error}") from error
    return text_dataset(name, _problems(name, rows, field), field)


def _problems(name: str, rows: Iterable[Mapping[str, Any]], field: str) -> Iterable[Problem]:
    for row in rows:
        prompt = next((row[key] for key in _PROMPTS if row.get(key)), None)
        answer = next((row[key] for key in _ANSWERS if row.get(key)), None)
        if prompt is None or answer is None:
            raise InvalidSetting(
                field,
                name,
                f"has the columns {', '.join(row)}",
                f"one of {', '.join(_PROMPTS)} and one of {', '.join(_ANSWERS)}",
            )
        yield Problem(str(prompt), str(answer))
