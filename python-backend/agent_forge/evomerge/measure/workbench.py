"""The parents of a run, and what makes models from recipes over them and measures these."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from torch import Tensor

from ...contract.architecture import TinyTitan
from ...contract.errors import NotMeasurable
from ...contract.evomerge import EvoMergeConfig, Fitness
from ...contract.fault import Fault
from ...contract.model import Model
from ...contract.recipe import Leaf, MergeNode, Recipe
from ...contract.report import Basis
from ...registry.families.layout import layout_of
from ..errors import LeafChanged, MergeRefused, NonFinite, WrongInputs
from ..ops.registry import refuse_non_finite, same_shapes
from ..recipe.alignment import aligned, reference_of
from ..recipe.basis import decoupled, origin
from ..recipe.demand import Demand
from ..recipe.foundation import common_foundation
from ..recipe.frame import Frame
from ..recipe.materialise import Measure, Recall, materialise
from ..recipe.tree import node, recipe_digest
from .fitness import Answers, Evaluator, MakeEvaluator, Reference, Scores, Split, fitness

Tensors = Mapping[str, Tensor]


class BenchJob(Protocol):
    """What a workbench needs of a `Job`."""

    def load_model(self, model_id: str) -> tuple[Model, dict[str, Tensor]]: ...

    def model_file(self, model_id: str) -> Path | None: ...

    def log(self, message: str) -> None: ...

    def timing(self, part: str, seconds: float) -> None: ...


class Workbench:
    """Raises `MergeRefused` where the parents can't be merged."""

    def __init__(self, config: EvoMergeConfig, job: BenchJob, make_evaluator: MakeEvaluator) -> None:
        self._job, self.weights = job, config.fitness
        loaded = [job.load_model(parent) for parent in config.parents]
        self.parents = [model for model, _ in loaded]
        self.models = {model.id: model for model in self.parents}
        """By id: parents, and those that their foundation was looked up through."""
        self.leaves: dict[str, tuple[str, Tensors]] = {model.id: (model.digest, tensors) for model, tensors in loaded}
        """Digest and tensors by id: parents, and the foundation once it was asked for."""
        if len(self.leaves) < len(loaded):
            raise WrongInputs("the same parent is named twice")
        same_shapes([tensors for _, tensors in loaded])
        for model, tensors in loaded:
            refuse_non_finite(tensors, f"model {model.id}")
        foundation = self._named(config.base) or common_foundation(
            self.parents, lambda model_id: self._loaded(model_id)[0]
        )
        self.evaluator: Evaluator = make_evaluator(config, self.parents)
        self.registered = [Leaf(model_id=model.id, digest=model.digest) for model in self.parents]
        shape = self.evaluator.architecture
        # which units of a causal LM can change places depends on its family: they stay
        align = config.align if isinstance(shape, TinyTitan) else "never"
        self.reference_model = reference_of(align, self.registered, foundation)
        """What the parents are aligned to; None where they stay as they are."""
        self.foundation = foundation
        raw = aligned(self.registered, self.reference_model, shape.n_heads if isinstance(shape, TinyTitan) else 0)
        self.raw = Frame(
            parents=raw,
            origin=origin(raw, foundation),
            basis="raw",
            depth=layout_of(loaded[0][1]).depth,
            calibration=dict(self.evaluator.calibration),
            mutation_rate=config.mutation_rate,
            mutation_sigma=config.mutation_sigma,
        )
        self.decoupled = self.raw.model_copy(update={"parents": decoupled(raw, foundation), "basis": "decoupled"})
        self.frame = self.raw
        """What candidates are expressed in: one of these two, see `settle`."""
        once = (*self.raw.parents, *self.decoupled.parents, self.raw.origin)
        self._recall = Recall(
            lasting={recipe_digest(recipe) for recipe in once if isinstance(recipe, MergeNode)},
            finite={model.digest for model in self.parents},
        )
        self._computing = Lock()
        """Measuring Fisher information or Gram matrices sets the number of threads of the whole process."""
        self.fisher_seconds = 0.0
        """Spent on measuring these so far, waiting for an evaluation to end included."""
        self.base: Tensors = {}
        """θ₀, which task vectors are about."""

    def _named(self, base: str | None) -> Leaf | None:
        """The base that the configuration names, checked as the parents are."""
        if base is None:
            return None
        model, tensors = self._loaded(base)
        same_shapes([self.leaves[parent.id][1] for parent in self.parents], tensors)
        refuse_non_finite(tensors, f"model {model.id}")
        return Leaf(model_id=model.id, digest=model.digest)

    def prepare(self, poll: Callable[[], None]) -> None:
        """Make what is made once per run: the aligned parents and θ₀. poll: called before each."""
        if self.reference_model is not None:
            start = time.perf_counter()
            for recipe in self.raw.parents:
                poll()
                self.make(recipe)
            seconds = time.perf_counter() - start
            self._job.timing("align", seconds)
            self._job.log(f"parents aligned to {self.reference_model.model_id} by weight matching in {seconds:.1f} s")
        self.base = self.make(self.raw.origin)

    def decouple(self, poll: Callable[[], None]) -> Fault | None:
        """Make the decoupled parents, or say why they can't be. poll: called before each."""
        start = time.perf_counter()
        for recipe in self.decoupled.parents:
            poll()
            made = self.attempt(recipe)
            if isinstance(made, Fault):
                return made
        self._job.timing("decouple", time.perf_counter() - start)
        return None

    def settle(self, basis: Basis) -> None:
        """What candidates are made from. The other parents are let go."""
        self.frame = self.decoupled if basis == "decoupled" else self.raw
        if basis == "raw":
            self._recall.forget(self.decoupled.parents)

    def lasting(self) -> dict[str, Tensors]:
        """What is made once per run and has been made so far, by its recipe's digest."""
        return dict(self._recall.made)

    def take(self, lasting: Mapping[str, Tensors]) -> None:
        """What another bench of this run has made once. Its tensors stay as they are."""
        self._recall.made |= {key: dict(tensors) for key, tensors in lasting.items()}
        self.base = self.make(self.raw.origin)

    def file_of(self, model_id: str) -> Path | None:
        """A leaf's file, by its path here."""
        return self._job.model_file(model_id)

    def sum_of(self, frame: Frame) -> MergeNode:
        """The recipe of the plain sum of task vectors."""
        return node("task_arithmetic", frame.parents, frame.origin)

    def make(self, recipe: Recipe) -> dict[str, Tensor]:
        """On one thread at a time. It may differ from the one that evaluates."""
        return materialise(recipe, self._leaf, self, self._recall)

    def attempt(self, recipe: Recipe) -> dict[str, Tensor] | Fault:
        """As `make`, or why it can't be merged. Raises `LeafChanged`: that accuses a file, not the recipe."""
        try:
            return self.make(recipe)
        except LeafChanged:
            raise
        except NonFinite as error:
            return Fault(kind="merge_not_finite", message=str(error))
        except MergeRefused as error:
            return Fault(kind="merge_refused", message=str(error))

    def outline(self, recipe: Recipe) -> Tensors:
        """What a recipe would make, without entries. Raises `MergeRefused` where it makes nothing."""
        return Demand(recipe, self._known, recipe_digest, ()).outline(recipe)

    def parent_tensors(self) -> list[Tensors]:
        return [self.leaves[model.id][1] for model in self.parents]

    def average(self) -> MergeNode:
        """The plain mean of the parents, aligned where they are."""
        return node("linear", self.raw.parents)

    def evaluate(self, tensors: Tensors, split: Split, part: str = "evaluate") -> Scores | Fault:
        """Scores on all fixed problems, or why there are none. part: the part of the run's time that this counts as."""
        answers = self.answers(tensors, split, part=part)
        return answers if isinstance(answers, Fault) else answers.scores()

    def answers(
        self, tensors: Tensors, split: Split, start: int = 0, stop: int | None = None, part: str = "evaluate"
    ) -> Answers | Fault:
        """Answers to the problems from start to stop of each dataset, or why there are none."""
        with self._computing:
            began = time.perf_counter()
            try:
                return self.evaluator.answers(tensors, split, start, stop)
            except NotMeasurable as error:
                return error.fault
            finally:
                self._job.timing(part, time.perf_counter() - began)

    def gradient(self, tensors: Tensors, seed: int, step: int, problems: int, ponder_cost: float) -> Tensors:
        """Gradient over training problems, see `Evaluator.gradient`. Raises `NotMeasurable`."""
        with self._computing:
            return self.evaluator.gradient(tensors, seed, step, problems, ponder_cost)

    def fisher(self, tensors: Tensors, calibration: Mapping[str, Any]) -> Tensors:
        return self._measured(self.evaluator.fisher, tensors, calibration)

    def grams(self, tensors: Tensors, calibration: Mapping[str, Any]) -> Tensors:
        return self._measured(self.evaluator.grams, tensors, calibration)

    def _measured(self, measure: Measure, tensors: Tensors, calibration: Mapping[str, Any]) -> Tensors:
        start = time.perf_counter()
        with self._computing:
            found = measure(tensors, calibration)
        self.fisher_seconds += time.perf_counter() - start
        return found

    def fitness(self, scores: Scores, tensors: Tensors, reference: Reference) -> Fitness:
        return fitness(scores, size_of(tensors), reference, self.weights)

    def reference(self, scores: Sequence[Scores]) -> Reference:
        """scores: of the parents that were measured."""
        return Reference(
            flops_per_token=sum(score.flops_per_token for score in scores) / len(scores),
            bytes=sum(map(size_of, self.parent_tensors())) / len(self.parents),
        )

    def _loaded(self, model_id: str) -> tuple[Model, Tensors]:
        model, tensors = self._job.load_model(model_id)
        self.models[model_id] = model
        return model, tensors

    def _known(self, recipe: Recipe) -> Tensors | None:
        return self._leaf(recipe) if isinstance(recipe, Leaf) else None

    def _leaf(self, leaf: Leaf) -> Tensors:
        if leaf.model_id not in self.leaves:
            model, loaded = self._loaded(leaf.model_id)
            self.leaves[leaf.model_id] = (model.digest, loaded)
        digest, tensors = self.leaves[leaf.model_id]
        if digest != leaf.digest:
            raise LeafChanged(f"{leaf.model_id} has digest {digest}, the recipe was made from {leaf.digest}")
        return tensors


def size_of(tensors: Tensors) -> int:
    """Bytes."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def entries_of(tensors: Tensors) -> int:
    """Parameters."""
    return sum(tensor.numel() for tensor in tensors.values())
