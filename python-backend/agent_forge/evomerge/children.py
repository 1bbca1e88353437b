"""What is done for one candidate, wherever it is done: merged, then measured block after block."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..contract.evomerge import EvoMergeConfig
from ..contract.fault import Fault
from ..contract.model import Model
from ..contract.recipe import MergeNode
from ..contract.report import Basis
from ..execution.executor import Shared, SharedModel
from ..registry.tensors import digest_tensors
from .measure.diversity import Sketch, sketch
from .measure.fitness import Answers, Floats, MakeEvaluator
from .measure.racing import BLOCK
from .measure.workbench import Tensors, Workbench, entries_of, size_of
from .resources import child_bytes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Child:
    name: str
    recipe: MergeNode
    stops: Sequence[int]
    """Selection problems of each dataset after each block; none where it is made and not measured."""
    fault: Fault | None = None
    """Why it can't even be merged, where that is known: it is then only outlined."""


@dataclass(frozen=True)
class Made:
    """A candidate that is merged and not yet measured."""

    parameters: int
    bytes: int
    """Of what it is, or would be."""
    model: tuple[str, Sketch] | Fault
    """Digest, and what its distance to others is measured by."""
    seconds: float
    fisher_seconds: float
    """Of these, spent on measuring what was merged."""


@dataclass(frozen=True)
class Block:
    """Answers to the next problems."""

    answers: Answers | Fault
    seconds: float


def worked_on(bench: Workbench, child: Child) -> Generator[Made | Block]:
    """A task of the executor. Deterministic, but for seconds."""
    start, fisher = time.perf_counter(), bench.fisher_seconds

    def made(outline: Tensors, model: tuple[str, Sketch] | Fault) -> Made:
        seconds, measuring = time.perf_counter() - start, bench.fisher_seconds - fisher
        return Made(entries_of(outline), size_of(outline), model, seconds, measuring)

    tensors = child.fault or bench.attempt(child.recipe)
    if isinstance(tensors, Fault):
        yield made(bench.outline(child.recipe), tensors)
        return
    yield made(tensors, (digest_tensors(tensors), sketch(tensors, bench.base)))
    for first, last in pairwise([0, *child.stops]):
        begin = time.perf_counter()
        answers = bench.answers(tensors, "selection", first, last)
        yield Block(answers, time.perf_counter() - begin)
        if isinstance(answers, Fault):
            return


@dataclass(frozen=True)
class _Description:
    config: EvoMergeConfig
    make_evaluator: MakeEvaluator
    models: Mapping[str, Model]
    """By id: parents, foundation, and those that these were looked up through."""
    basis: Basis
    losses: Floats
    """Of the first parent on the first block of problems, as they come out here."""


def shared(bench: Workbench, config: EvoMergeConfig, make_evaluator: MakeEvaluator) -> Shared[Workbench]:
    """A settled bench, for all children of the run: see `Workbench.settle`."""

    def describe() -> tuple[_Description, Mapping[str, SharedModel]]:
        for recipe in (*bench.frame.parents, bench.frame.origin):
            bench.make(recipe)
        leaves = {
            model_id: SharedModel(tensors, digest, bench.file_of(model_id))
            for model_id, (digest, tensors) in bench.leaves.items()
        }
        made = {key: SharedModel(made, digest_tensors(made)) for key, made in bench.lasting().items()}
        description = _Description(config, make_evaluator, bench.models, bench.frame.basis, _losses(bench))
        return description, leaves | made

    return Shared(
        here=bench,
        make=_elsewhere,
        describe=describe,
        memory=child_bytes(max(map(size_of, bench.parent_tensors()))),
        device="cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu",
    )


@dataclass
class _Elsewhere:
    """What a workbench asks of its job, in a process that has none."""

    models: Mapping[str, Model]
    tensors: Mapping[str, Mapping[str, Tensor]]
    timings: dict[str, float] = field(default_factory=dict)

    def load_model(self, model_id: str) -> tuple[Model, dict[str, Tensor]]:
        return self.models[model_id], dict(self.tensors.get(model_id, {}))

    def model_file(self, model_id: str) -> Path | None:
        return None

    def timing(self, part: str, seconds: float) -> None:
        self.timings[part] = self.timings.get(part, 0.0) + seconds

    def log(self, message: str, level: str = "info") -> None:
        """The job has logged it already."""


def _elsewhere(description: Any, tensors: Mapping[str, Mapping[str, Tensor]]) -> Workbench:
    assert isinstance(description, _Description)  # noqa: S101 - of `shared`
    job = _Elsewhere(description.models, tensors)
    bench = Workbench(description.config, job, description.make_evaluator)
    bench.settle(description.basis)
    bench.take({key: made for key, made in tensors.items() if key not in description.models})
    _compare(_losses(bench), description.losses)
    return bench


def _losses(bench: Workbench) -> Floats:
    answers = bench.answers(bench.parent_tensors()[0], "selection", 0, BLOCK)
    return np.zeros(0) if isinstance(answers, Fault) else answers.mean_losses


def _compare(own: Floats, expected: Floats) -> None:
    """Says where this machine computes something else than the backend's: digests agree all the same."""
    if own.shape == expected.shape and not np.array_equal(own, expected):
        log.warning(
            "this node rounds differently: losses of the first parent on %d problems differ by up to %.2g nats from "
            "those on the backend's machine, and so may the fitness of what is measured here; digests do not",
            len(own),
            float(np.max(np.abs(own - expected))),
        )
