"""`hf:` datasets, through the optional `datasets` package, its cache or the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from agent_forge.cognate.errors import InvalidSetting

from .problem import Problem
from .text import TextDataset, text_dataset

_PROMPTS = ("prompt", "question", "question_concat", "problem", "input", "instruction")
_ANSWERS = ("answer", "Answer", "solution", "output", "response", "completion")


def load_hub(name: str, field: str = "datasets") -> TextDataset:
    """`hf:<id>` or `hf:<id>:<configuration>`, its train split. Raises InvalidSetting with what stands in the way."""
    identifier, _, configuration = name.removeprefix("hf:").partition(":")
    try:
        library: Any = import_module("datasets")
    except ModuleNotFoundError as error:
        raise InvalidSetting(
            field, name, "needs the package `datasets`, which is not installed: pip install 'agent-forge[hf]'"
        ) from error
    try:
        rows = library.load_dataset(identifier, configuration or None, split="train", trust_remote_code=False)
    except Exception as error:  # whatever the library, its cache or the network raises is told to the user
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
