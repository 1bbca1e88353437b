"""Tasks of the Language Model Evaluation Harness as files: which there are, and what of them is taken. Free of torch.

    lm-eval:<task>    the YAML below `lm-eval/` of a dataset root that says `task: <task>`

What a task says is data here: YAML that names Python (`!function`), a metric to fetch or unsafe code is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ...cognate.datasets.extra import require_extra
from ...cognate.errors import InvalidSetting

PREFIX = "lm-eval:"
PACKAGE = "lm-eval"
VERSION = "0.4.13"
"""How it words prompts and scores answers is part of a run."""
INSTALL = "npm run setup -- lm-eval"
DIRECTORY = "lm-eval"
TYPES = ("multiple_choice", "loglikelihood", "generate_until")
SHARES = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match")
"""Metrics that say whether a document is solved; a task's first of them counts, else its first."""
_DEFAULTS = {"multiple_choice": "acc", "loglikelihood": "acc", "generate_until": "exact_match"}
_MOST_FILES = 2000
_MOST_BYTES = 256 * 1024
_CODE = ("class", "unsafe_code", "custom_dataset", "doc_to_image", "doc_to_audio", "use_prompt")


class _Loader(yaml.SafeLoader):
    """YAML whose tags are kept as what they are: code that is not run."""


class _Code:
    pass


def _kept(loader: yaml.Loader, suffix: str, node: yaml.Node) -> _Code:
    return _Code()


_Loader.add_multi_constructor("!", _kept)


def check_task(name: str, roots: Sequence[Path], field: str) -> dict[str, Any]:
    """The configuration of a task that can be asked here, its data files as absolute paths. Raises InvalidSetting."""
    task = name.removeprefix(PREFIX)
    require_extra(PACKAGE, VERSION, INSTALL, name, field)
    tasks = _tasks(roots)
    if task not in tasks:
        allowed = f"{PREFIX}<task>, of {', '.join(sorted(tasks)) or f'YAML files below {DIRECTORY}/ of a dataset root'}"
        raise InvalidSetting(field, name, "is not a task of this machine", allowed)
    path = tasks[task]
    config = _read(path)
    _refuse(config, field, name)
    return _with_paths(config, path.parent)


def metric_of(config: Mapping[str, Any]) -> str:
    """By which a task's documents are solved or not."""
    named = [str(one.get("metric")) for one in config.get("metric_list") or [] if isinstance(one, dict)]
    shares = [name for name in named if name in SHARES]
    return (shares or named or [_DEFAULTS[config["output_type"]]])[0]


def _tasks(roots: Sequence[Path]) -> dict[str, Path]:
    """By name; of two of one name the first root's."""
    found: dict[str, Path] = {}
    for root in roots:
        for path in sorted((root / DIRECTORY).rglob("*.yaml"))[:_MOST_FILES]:
            try:
                name = _document(path).get("task")
            except InvalidSetting:
                continue
            if isinstance(name, str):
                found.setdefault(name, path)
    return found


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InvalidSetting("datasets", path.name, f"has more than {_MOST_BYTES} bytes")
        found = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise InvalidSetting("datasets", path.name, f"cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}


def _read(path: Path, depth: int = 0) -> dict[str, Any]:
    """With what it includes, which its own keys override."""
    config = _document(path)
    included = config.pop("include", None)
    if included is None:
        return config
    if depth > 8:
        raise InvalidSetting("datasets", path.name, "includes files more than eight deep")
    return _read(path.parent / str(included), depth + 1) | config


def _refuse(config: dict[str, Any], field: str, name: str) -> None:
    def refuse(key: str, message: str, allowed: str | None = None) -> InvalidSetting:
        return InvalidSetting(field, name, f"{key}: {message}", allowed)

    for key, value in config.items():
        if _has_code(value) or (key in _CODE and value):
            raise refuse(key, "is code, or asks for it, which is not run", "a task that is text and data alone")
    if config.get("output_type") not in TYPES:
        raise refuse("output_type", f"{config.get('output_type')!r} is not measured", f"one of {', '.join(TYPES)}")
    if int(config.get("repeats") or 1) != 1:
        raise refuse("repeats", "answers are not drawn, so that each would be the same", "1")
    generation = config.get("generation_kwargs") or {}
    if generation.get("do_sample") or float(generation.get("temperature") or 0) > 0:
        raise refuse("generation_kwargs", "answers are not drawn", "do_sample: false")
    metrics = config.get("metric_list") or []
    if any(isinstance(one, dict) and one.get("hf_evaluate") for one in metrics):
        raise refuse("metric_list", "hf_evaluate fetches code, which is not run", "metrics of the package itself")
    if not config.get("dataset_path"):
        raise refuse("dataset_path", "is missing", "json with data_files, or a data set of the hub")


def _has_code(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_code(one) for one in value.values())
    return isinstance(value, _Code) or (isinstance(value, list) and any(_has_code(one) for one in value))


def _with_paths(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Data files are told relative to the file that names them."""
    kwargs = config.get("dataset_kwargs") or {}
    files = kwargs.get("data_files")
    if files is None:
        return config

    def absolute(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: absolute(one) for key, one in value.items()}
        return [absolute(one) for one in value] if isinstance(value, list) else str((folder / str(value)).resolve())

    return config | {"dataset_kwargs": kwargs | {"data_files": absolute(files)}}
