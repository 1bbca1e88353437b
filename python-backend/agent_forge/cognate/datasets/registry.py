"""The datasets by name. Free of torch, so that the API can list and check them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from ...contract.cognate import DatasetChoice, Specialization
from ...contract.model import DatasetInfo
from ..errors import InvalidSetting
from ..tokenizer import Tokenizer
from . import arithmetic, composition, deduction, parity, recall
from .builtin import Builtin
from .gym import PREFIX, check_gym, load_gym
from .hub import hub_id, load_hub
from .problem import Dataset, Split
from .text import WINDOW_CHARACTERS, check_file, load_file, resolve_dataset_path

_BUILTINS: dict[str, tuple[Specialization, ModuleType]] = {
    "arithmetic": (Specialization.reasoning, arithmetic),
    "deduction": (Specialization.reasoning, deduction),
    "recall": (Specialization.memory_integration, recall),
    "parity": (Specialization.adaptive_computation, parity),
    "composition": (Specialization.adaptive_computation, composition),
}
_SAMPLE = 16
_SPOKEN = f"one of {', '.join(_BUILTINS)}, file:<path>, hf:<owner>/<name>, gym:<task>"


def builtin(name: str, difficulty: int, window: int) -> Builtin:
    family, module = _BUILTINS[name]
    return Builtin(name, family, module.generate, difficulty, window)


def dataset_infos() -> list[DatasetInfo]:
    """The built-in datasets with the first held-out problem at difficulty 2, window 32."""
    infos = []
    for name, (family, module) in _BUILTINS.items():
        example = builtin(name, 2, 32).problems(Split.heldout, 1)[0]
        infos.append(
            DatasetInfo(
                name=name,
                family=family,
                description=module.DESCRIPTION,
                example_prompt=example.prompt,
                example_answer=example.answer,
            )
        )
    return infos


def check_datasets(
    choices: Sequence[DatasetChoice], roots: Sequence[Path], window_characters: int = WINDOW_CHARACTERS
) -> None:
    """Checks the names, and the beginning of every file; fetches nothing from the hub. Raises InvalidSetting."""
    for index, (choice, path) in enumerate(_resolved(choices, roots)):
        if path is not None:
            check_file(choice.name, path, f"datasets.{index}.name", window_characters)


def _resolved(choices: Sequence[DatasetChoice], roots: Sequence[Path]) -> list[tuple[DatasetChoice, Path | None]]:
    """The choices, each with its file's path; None where it is not a file. Reads nothing. Raises InvalidSetting."""
    seen: set[str] = set()
    found: list[tuple[DatasetChoice, Path | None]] = []
    for index, choice in enumerate(choices):
        field = f"datasets.{index}.name"
        if choice.name in seen:
            raise InvalidSetting(field, choice.name, "is named twice", "each dataset once; use its weight")
        seen.add(choice.name)
        path = None
        if choice.name.startswith("file:"):
            path = resolve_dataset_path(choice.name, roots, field)
        elif choice.name.startswith("hf:"):
            hub_id(choice.name, field)
        elif choice.name.startswith(PREFIX):
            check_gym(choice.name, field)
        elif choice.name not in _BUILTINS:
            raise InvalidSetting(field, choice.name, "is not a dataset", _SPOKEN)
        found.append((choice, path))
    return found


def check_tokenizer(tokenizer: Tokenizer, datasets: Sequence[str], difficulty: int, window: int) -> None:
    """Checks that it has a token for each character of the built-in datasets' first problems. Raises InvalidSetting."""
    for name in datasets:
        if name in _BUILTINS:
            for problem in builtin(name, difficulty, window).problems(Split.train, _SAMPLE):
                for character in sorted({*problem.prompt, *problem.answer}):
                    tokenizer.character(character)


def load_datasets(
    choices: Sequence[DatasetChoice],
    difficulty: int,
    window: int,
    roots: Sequence[Path],
    window_characters: int = WINDOW_CHARACTERS,
) -> list[Dataset]:
    """In the order of `choices`. window: of attention, which built-in problems are longer than; window_characters:
    what plain text is cut into. Raises InvalidSetting."""
    loaded: list[Dataset] = []
    for index, (choice, path) in enumerate(_resolved(choices, roots)):
        field = f"datasets.{index}.name"
        if path is not None:
            loaded.append(load_file(choice.name, path, field, window_characters))
        elif choice.name.startswith("hf:"):
            loaded.append(load_hub(choice.name, field))
        elif choice.name.startswith(PREFIX):
            loaded.append(load_gym(choice.name, field))
        else:
            loaded.append(builtin(choice.name, difficulty, window))
    return loaded
