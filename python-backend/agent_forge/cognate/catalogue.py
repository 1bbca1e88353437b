"""The datasets by name. Free of torch, so that the API can list and check them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from agent_forge.contract.cognate import DatasetChoice, Specialization
from agent_forge.contract.model import DatasetInfo

from .datasets import arithmetic, composition, deduction, parity, recall
from .datasets.builtin import Builtin
from .datasets.hub import hub_id, load_hub
from .datasets.problem import Dataset, Split
from .datasets.text import load_file, resolve_dataset_path
from .errors import InvalidSetting

_BUILTINS: dict[str, tuple[Specialization, ModuleType]] = {
    "arithmetic": (Specialization.reasoning, arithmetic),
    "deduction": (Specialization.reasoning, deduction),
    "recall": (Specialization.memory_integration, recall),
    "parity": (Specialization.adaptive_computation, parity),
    "composition": (Specialization.adaptive_computation, composition),
}
_SPOKEN = f"one of {', '.join(_BUILTINS)}, file:<path>, hf:<owner>/<name>"


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


def check_datasets(choices: Sequence[DatasetChoice], roots: Sequence[Path]) -> None:
    """Names and paths only, nothing is read. Raises InvalidSetting."""
    seen: set[str] = set()
    for index, choice in enumerate(choices):
        field = f"datasets.{index}.name"
        if choice.name in seen:
            raise InvalidSetting(field, choice.name, "is named twice", "each dataset once; use its weight")
        seen.add(choice.name)
        if choice.name.startswith("file:"):
            resolve_dataset_path(choice.name, roots, field)
        elif choice.name.startswith("hf:"):
            hub_id(choice.name, field)
        elif choice.name not in _BUILTINS:
            raise InvalidSetting(field, choice.name, "is no dataset", _SPOKEN)


def load_datasets(
    choices: Sequence[DatasetChoice], difficulty: int, window: int, roots: Sequence[Path]
) -> list[Dataset]:
    """In the order of `choices`. Raises InvalidSetting."""
    check_datasets(choices, roots)
    loaded: list[Dataset] = []
    for index, choice in enumerate(choices):
        field = f"datasets.{index}.name"
        if choice.name.startswith("file:"):
            loaded.append(load_file(choice.name, resolve_dataset_path(choice.name, roots, field), field))
        elif choice.name.startswith("hf:"):
            loaded.append(load_hub(choice.name, field))
        else:
            loaded.append(builtin(choice.name, difficulty, window))
    return loaded
