"""What a request must satisfy beyond its types, checked before anything is created."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from ..causal_lm.config import unlike
from ..causal_lm.defaults import WINDOW_CHARACTERS
from ..causal_lm.harness.files import PREFIX, check_task
from ..cognate.datasets.registry import check_datasets
from ..cognate.errors import InvalidSetting
from ..cognate.presets import check
from ..contract.architecture import Architecture, CausalLM, tensor_shapes
from ..contract.cognate import CognateConfig, Resources
from ..contract.evomerge import EvoMergeConfig, EvoMergeSettings
from ..contract.model import Model
from ..contract.problem import FieldError
from ..contract.recipe import TrainingOrigin
from ..evomerge.merge_methods import merge_methods, weighing
from ..evomerge.search.strategy import POPULATIONS
from ..registry.errors import FileDiffersError, FileMissingError
from ..store import model_rows
from ..store.errors import Refusal


def invalid(field: str, value: Any, message: str, allowed: str | None) -> Refusal:
    error = FieldError(field=field, message=message, value=value, allowed=allowed)
    return Refusal("invalid_request", f"{field} {message}", [error])


def _prefixed(error: InvalidSetting, prefix: str) -> Refusal:
    return invalid(prefix + error.field, error.value, error.message, error.allowed)


def admit_cognate(
    config: CognateConfig, roots: Sequence[Path], devices: Sequence[str], prefix: str = ""
) -> CognateConfig:
    """The configuration with every default filled in. Raises `Refusal` naming the field."""
    try:
        resolved = check(config, roots)
    except InvalidSetting as error:
        raise _prefixed(error, prefix) from error
    _admit_device(config.device, devices, prefix)
    for name in ("specializations", "formats"):
        values = getattr(config, name)
        if name == "formats" and len(set(values)) != len(values):
            raise invalid(f"{prefix}{name}", list(values), "names one twice", "each at most once")
    if "safetensors" not in config.formats:
        raise invalid(f"{prefix}formats", list(config.formats), "lacks safetensors", "safetensors, with pt or without")
    return resolved


def admit_settings(
    settings: EvoMergeSettings, parents: int, roots: Sequence[Path], devices: Sequence[str], prefix: str = ""
) -> None:
    """parents: how many there are, or will be. Raises `Refusal` naming the field."""
    least, most = POPULATIONS[settings.strategy]
    if not least <= settings.population <= most:
        allowed = f"{least}" if least == most else f"{least} to {most}"
        message = f"does not fit the strategy {settings.strategy}"
        raise invalid(f"{prefix}population", settings.population, message, allowed)
    known = [method.name for method in merge_methods()]
    for index, op in enumerate(settings.ops):
        if op not in known:
            raise invalid(f"{prefix}ops.{index}", op, "is not a merge method", f"one of {', '.join(known)}")
    usable = weighing(parents, parents)
    if settings.strategy != "tournament" and settings.ops and not set(settings.ops) & set(usable):
        message = f"contains no method that weights {parents} parents"
        raise invalid(f"{prefix}ops", settings.ops, message, f"at least one of {', '.join(usable)}, or none")
    if settings.datasets is not None:
        try:
            # tasks are for causal language models: whether the parents are, is known later
            check_datasets([one for one in settings.datasets if not one.name.startswith(PREFIX)], roots)
        except InvalidSetting as error:
            raise _prefixed(error, prefix) from error
        if not settings.datasets:
            raise invalid(f"{prefix}datasets", [], "is empty", "at least one dataset, or null")
    weights = settings.fitness
    if weights.likelihood + weights.accuracy + weights.compute + weights.memory == 0:
        raise invalid(f"{prefix}fitness", weights.model_dump(), "has no weight above 0", "at least one weight above 0")
    _admit_device(settings.device, devices, prefix)


def admit_parents(connection: Connection, config: EvoMergeConfig) -> list[Model]:
    """The parents in order: at least two different, registered ones of one architecture."""
    seen: set[str] = set()
    found = model_rows.find_many(connection, list(config.parents))
    parents: list[Model] = []
    for index, model_id in enumerate(config.parents):
        field = f"parents.{index}"
        if model_id in seen:
            raise invalid(field, model_id, "is named twice", "at least two different models")
        seen.add(model_id)
        if model_id not in found:
            raise Refusal(
                "not_found",
                f"there is no model {model_id}",
                [FieldError(field=field, message="is not a registered model", value=model_id, allowed="ids of models")],
            )
        parents.append(found[model_id])
    first = parents[0]
    shape = _bred(first.architecture, "parents.0", first.id)
    for index, parent in enumerate(parents):
        own_shape = _bred(parent.architecture, f"parents.{index}", parent.id)
        if isinstance(own_shape, CausalLM) or isinstance(shape, CausalLM):
            _admit_causal(f"parents.{index}", parent, first)
            continue
        if tensor_shapes(own_shape) != tensor_shapes(shape):
            raise invalid(
                f"parents.{index}",
                parent.id,
                f"differs in shape ({parent.parameters:,} parameters) from {first.id} ({first.parameters:,})",
                "models whose tensors have the same names and shapes",
            )
        # Shapes do not show heads or window: models that differ in them would be merged, and run with the wrong ones.
        for name, value in shape:
            own = getattr(own_shape, name)
            if own != value:
                raise invalid(
                    f"parents.{index}",
                    parent.id,
                    f"has {name} {own}, {first.id} has {value}",
                    f"models of {name} {value}",
                )
    return parents


def _bred(architecture: Architecture | None, field: str, model_id: str) -> Architecture:
    if architecture is None:
        raise invalid(field, model_id, "has an unknown architecture", "TinyTitans, or folders of causal LMs")
    return architecture


def _admit_causal(field: str, parent: Model, first: Model) -> None:
    """As the first, and read by the same tokenizer. Raises `Refusal`."""
    one, own = first.architecture, parent.architecture
    if not isinstance(one, CausalLM) or not isinstance(own, CausalLM):
        raise invalid(field, parent.id, f"is of another kind than {first.id}", "models of one architecture")
    tokens, wanted_tokens = (None if model.tokenizer is None else model.tokenizer.tokens for model in (parent, first))
    if parent.folder is None or parent.tokenizer is None or parent.tokenizer.kind == "sentencepiece":
        raise invalid(field, parent.id, "has no tokenizer.json that text could be read by", "folders with one")
    pairs: list[tuple[str, Any, Any]] = [
        (name, getattr(own, name), getattr(one, name)) for name in ("model_type", "layers", "vocab_size", "dtype")
    ]
    pairs += [("tied head", own.tied, one.tied), (_TOKENS, tokens, wanted_tokens)]
    pairs += [("parameters", parent.parameters, first.parameters)]
    # what only one of them states may be the other's default: the worker compares them as transformers reads them
    pairs += [(f"config.{key}", found, wanted) for key, found, wanted in unlike(own.config, one.config)]
    for name, found, wanted in pairs:
        if found != wanted:
            what = f"has {name} {found}, {first.id} has {wanted}"
            allowed = f"models of one architecture and vocabulary: {name} {wanted}"
            if name in ("vocab_size", _TOKENS) and _vocabulary(parent) != _vocabulary(first):
                allowed = f"{allowed}; {_ALIGNED}"
            raise invalid(field, parent.id, what, allowed)
    if _vocabulary(parent) != _vocabulary(first):
        what = f"has as many tokens as {first.id}, but not the same ones by the same ids"
        raise invalid(
            field,
            parent.id,
            what,
            f"models of one vocabulary: the rows of their embeddings are merged by id; {_ALIGNED}",
        )


_TOKENS = "tokens in its tokenizer"
_ALIGNED = "bring both to one first: merge each with the other at weight 0 and `tokenizer_source: union`"


def _vocabulary(model: Model) -> str | None:
    return None if model.tokenizer is None else model.tokenizer.vocabulary


def admit_files(parents: Sequence[Model], prove: Callable[[Model], object]) -> None:
    """prove: raises where the model's file is gone or has changed. Raises `Refusal` naming the parent."""
    for index, parent in enumerate(parents):
        try:
            prove(parent)
        except (FileMissingError, FileDiffersError) as error:
            allowed = "models whose files are unchanged since they were registered"
            fault = FieldError(field=f"parents.{index}", message=str(error), value=parent.id, allowed=allowed)
            raise Refusal(error.code, f"parent {error}", [fault]) from error


def admit_problems(parents: Sequence[Model], config: EvoMergeConfig, roots: Sequence[Path]) -> None:
    """What fitness is measured on where the configuration names nothing, and the parents' tokenizer: both are those of
    the first parent that was trained here (see `worker.wiring.make_evaluator`). Raises `Refusal` naming the parent."""
    if isinstance(parents[0].architecture, CausalLM):
        _admit_asked(parents[0], config, roots)
        return
    for index, one in enumerate(config.datasets or ()):
        if one.name.startswith(PREFIX):
            message = "is asked of causal language models; the parents are TinyTitans"
            raise invalid(f"datasets.{index}.name", one.name, message, "built-in data sets, file:, hf: or gym:")
    for index, parent in enumerate(parents):
        if isinstance(parent.origin, TrainingOrigin):
            trained = CognateConfig.model_validate(parent.origin.config)
            own = trained if config.datasets is None else trained.model_copy(update={"datasets": config.datasets})
            try:
                check(own, roots)
            except InvalidSetting as error:
                what = f"was trained with {error.field} {error.value}, which {error.message}"
                raise invalid(f"parents.{index}", parent.id, what, error.allowed) from error
            return


def _admit_asked(parent: Model, config: EvoMergeConfig, roots: Sequence[Path]) -> None:
    """What a causal language model is asked, and that it can be asked so. Raises `Refusal`."""
    if config.datasets is None:
        files = "file:<path> of JSONL {prompt, answer} or {prompt, choices, answer} or of text"
        message = "says nothing, and causal language models have no mixture of their own"
        raise invalid("datasets", None, message, f"{files}, a built-in, hf:, gym:, lm-eval:")
    try:
        own = [one for one in config.datasets if not one.name.startswith(PREFIX)]
        check_datasets(own, roots, WINDOW_CHARACTERS)
        for index, one in enumerate(config.datasets):
            if one.name.startswith(PREFIX):
                check_task(one.name, roots, f"datasets.{index}.name")
    except InvalidSetting as error:
        raise _prefixed(error, "") from error
    if config.align == "always":
        raise invalid("align", "always", "is for TinyTitans, whose units can be matched", "auto or never")
    if config.causal_lm.chat and not (parent.tokenizer is not None and parent.tokenizer.chat_template):
        raise invalid("causal_lm.chat", True, f"asks for a chat template, which {parent.id} lacks", "false")


def admit_base(connection: Connection, config: EvoMergeConfig, parents: Sequence[Model]) -> Model | None:
    """What task vectors are about, where that is named: of the parents' architecture. Raises `Refusal`."""
    if config.base is None:
        return None
    found = model_rows.find(connection, config.base)
    if found is None:
        raise invalid("base", config.base, "is not a registered model", "the id of one")
    first = parents[0]
    if isinstance(first.architecture, CausalLM):
        _admit_causal("base", found, first)
    elif found.architecture != first.architecture:
        raise invalid("base", config.base, f"is of another architecture than {first.id}", "models of the parents' own")
    return found


def admit_resources(needed: Resources) -> None:
    """Raises `Refusal` with the numbers where the plan needs more than is free."""
    for what, code, need, free in (
        ("disk", "insufficient_disk", needed.disk_needed, needed.disk_free),
        ("memory", "insufficient_memory", needed.memory_needed, needed.memory_free),
    ):
        if need > free:
            raise Refusal(
                code,
                f"the plan needs {need:,} bytes of {what}; {free:,} are free beyond the reserve",
                [
                    FieldError(
                        field=f"resources.{what}_needed",
                        message="exceeds what is free",
                        value=need,
                        allowed=f"0 to {free}",
                    )
                ],
            )


def _admit_device(device: str, devices: Sequence[str], prefix: str) -> None:
    if device == "cuda" and "cuda" not in devices:
        raise invalid(f"{prefix}device", device, "is not available", f"one of auto, {', '.join(devices)}")
