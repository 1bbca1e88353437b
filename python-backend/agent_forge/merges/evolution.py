"""A configuration of mergekit-evolve as a run that breeds registered models. What has no counterpart is refused.

Documentation: https://github.com/arcee-ai/mergekit/blob/main/docs/evolve.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..contract.architecture import CausalLM
from ..contract.cognate import DatasetChoice
from ..contract.evomerge import EvoMergeConfig, FitnessWeights
from ..contract.model import Model
from ..evomerge.merge_methods import merge_method, weighing
from .configuration import MOST_SOURCES, ModelReference, items, mapping, needed, optional, plain_text, reference
from .document import Value, documents
from .errors import ConfigurationRefused
from .methods import METHODS

Named = Callable[[ModelReference], Model]
"""A registered model by its reference; raises `LookupError`."""
Metric = Callable[[str], str]
"""By what the problems of a data set are solved or not, `acc` or the like; raises `LookupError` where there is none."""

_TOP = {"genome", "tasks"}
_GENOME = {
    "models",
    "merge_method",
    "base_model",
    "tokenizer_source",
    "layer_granularity",
    "normalize",
    "allow_negative_weights",
    "smooth",
    "filters",
}
_THIRDS = 3
"""Into which layers fall: each has weights of its own, and so have embeddings, output and what is left."""
_MOST_TASKS = 32
_SETS = ("file:", "hf:", "gym:", "lm-eval:")
_ACCURACY = FitnessWeights(likelihood=0, accuracy=1, compute=0, memory=0)


@dataclass(frozen=True)
class _Task:
    dataset: str
    weight: float
    value: Value


def evolution(configuration: str, named: Named, metric: Metric) -> EvoMergeConfig:
    """By CMA-ES, as mergekit-evolve searches; its score is the mean of the tasks' accuracies.

    Raises `ConfigurationRefused` with the line.
    """
    found = documents(configuration)
    if len(found) != 1:
        raise ConfigurationRefused(1, "", f"{len(found)} documents; one is needed, with `genome` and `tasks`")
    (document,) = found
    top = mapping(document, _TOP)
    genome = needed(document, top, "genome", lambda value: value)
    parts = mapping(genome, _GENOME)
    models = [
        (value, _model(value, named))
        for value in items(needed(genome, parts, "models", lambda value: value), MOST_SOURCES)
    ]
    if len({model.id for _, model in models}) < max(2, len(models)):
        raise parts["models"].refused("must name at least two models, each once")
    op = _op(needed(genome, parts, "merge_method", lambda value: value), len(models))
    base = optional(parts, "base_model", lambda value: _model(value, named))
    _check_search(parts, op, models[0][1])
    return EvoMergeConfig(
        parents=[model.id for _, model in models],
        base=base.id if base is not None else None,
        strategy="cma_es",
        ops=[op],
        basis="raw",
        datasets=[DatasetChoice(name=task.dataset) for task in _tasks(document, top, metric)],
        fitness=_ACCURACY,
        polish_steps=0,
    )


def _model(value: Value, named: Named) -> Model:
    wanted = reference(value)
    try:
        return named(wanted)
    except LookupError as error:
        raise value.refused(f"{str(wanted)!r}: {error.args[0]}") from error


def _op(value: Value, count: int) -> str:
    method = METHODS.get(plain_text(value))
    usable = weighing(count, count)
    if method is None or method.op not in usable:
        names = ", ".join(sorted(one.name for one in METHODS.values() if one.op in usable))
        raise value.refused(f"{plain_text(value)!r} takes no weight for each of {count} models; there are {names}")
    return method.op


def _check_search(parts: Mapping[str, Value], op: str, first: Model) -> None:
    """What is set must be what the search does."""
    layers = first.architecture.layers if isinstance(first.architecture, CausalLM) else None
    fitting = layers // _THIRDS if layers is not None and layers % _THIRDS == 0 else None
    granularity = parts.get("layer_granularity")
    if granularity is not None and granularity.content not in (None, fitting):
        which = f"{fitting} says the same" if fitting is not None else "leave it out"
        raise granularity.refused(f"weights are searched for each third of the {layers} layers: {which}")
    normalizes = (
        merge_method(op).parameters["properties"].get("normalize", {}).get("default", op in ("linear", "slerp"))
    )
    for key, does, why in (
        ("normalize", normalizes, f"{op} {'divides' if normalizes else 'does not divide'} by the weights' sum here"),
        ("allow_negative_weights", False, "weights are searched from 0 to 2"),
        ("smooth", False, "weights are the same within each third of the layers"),
    ):
        value = parts.get(key)
        if value is not None and value.content is not None and value.content is not does:
            raise value.refused(f"{why}: {str(does).lower()}, or leave it out")
    for key, why in (
        ("tokenizer_source", "models of one vocabulary are bred: merge each with `tokenizer_source` first"),
        ("filters", "weights are searched by layer group, not by parts of names"),
    ):
        value = parts.get(key)
        if value is not None and value.content is not None:
            raise value.refused(why)


def _tasks(document: Value, top: Mapping[str, Value], metric: Metric) -> list[_Task]:
    listed = items(needed(document, top, "tasks", lambda value: value), _MOST_TASKS)
    tasks = [_task(value, metric) for value in listed]
    for task in tasks:
        if task.weight != tasks[0].weight or task.weight <= 0:
            raise task.value.refused("tasks count the same here: give all the same weight above 0, or none")
    return tasks


def _task(value: Value, metric: Metric) -> _Task:
    parts = mapping(value, {"name", "weight", "metric"})
    name = needed(value, parts, "name", plain_text)
    dataset = name if name.startswith(_SETS) else f"lm-eval:{name}"
    try:
        solved_by = metric(dataset)
    except LookupError as error:
        raise parts["name"].refused(str(error.args[0])) from error
    wanted = optional(parts, "metric", plain_text) or "acc,none"
    if wanted.partition(",")[0] != solved_by:
        where = parts.get("metric", parts["name"])
        raise where.refused(f"{wanted!r} is not what {dataset} is measured by here: metric: {solved_by}")
    weight = optional(parts, "weight", _number)
    return _Task(dataset, 1.0 if weight is None else weight, value)


def _number(value: Value) -> float:
    if isinstance(value.content, bool) or not isinstance(value.content, int | float):
        raise value.refused("must be a number")
    return float(value.content)
