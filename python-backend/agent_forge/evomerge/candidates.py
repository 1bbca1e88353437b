"""Candidates: made, raced against the best, measured, recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from ..contract.evomerge import Candidate, EvoMergeConfig, Fitness
from ..contract.fault import Fault
from ..contract.job import Job
from ..contract.recipe import MergeNode
from ..registry.tensors import digest_tensors
from .ahead import ahead
from .errors import OtherSearch
from .measure.diversity import Sketch, sketch
from .measure.fitness import NOT_MEASURED, Answers, Floats, Reference
from .measure.racing import RIVAL, ends, worse
from .measure.workbench import Tensors, Workbench, entries_of, size_of
from .polish import polished_recipe
from .recipe.tree import recipe_digest
from .search.strategy import Plan, root_of


@dataclass(frozen=True)
class Model:
    tensors: dict[str, Tensor]
    digest: str
    sketch: Sketch


@dataclass(frozen=True)
class _Made:
    """A candidate that is merged and not yet measured."""

    outline: Tensors
    """Names, shapes and dtypes, whether or not there are tensors."""
    model: Model | Fault
    seconds: float
    fisher_seconds: float
    """Of these, spent on measuring what was merged."""


class Candidates:
    """Those of one run, with what earlier attempts recorded."""

    def __init__(self, config: EvoMergeConfig, job: Job, bench: Workbench) -> None:
        self._job, self._bench, self._racing = job, bench, races(config)
        self._known = {(one.generation, one.slot): one for one in job.candidates()}
        self._measured: dict[str, Fitness | Fault] = {}
        """By digest, in the order in which they were measured."""
        self._recipes: dict[str, MergeNode] = {}
        """By digest."""
        self._by_problem: dict[str, Floats] = {}
        """By digest, of those that this process measured on all problems."""
        for one in self._known.values():
            self._note(one)

    def recorded(self) -> list[Candidate]:
        return list(self._known.values())

    def known(self, generation: int, slot: int) -> Candidate:
        return self._known[generation, slot]

    def generation(
        self, index: int, plans: Sequence[Plan], reference: Reference
    ) -> Iterator[tuple[Candidate, Sketch | None]]:
        """Each as soon as it is recorded, with a sketch where it could be measured."""
        asked = [self._polished(index, slot, plan) for slot, plan in enumerate(plans)]
        work = [partial(self._make, recipe, plan) for recipe, plan in zip(asked, plans, strict=True)]
        with closing(ahead(work)) as coming:
            for slot, plan in enumerate(plans):
                self._job.poll()
                made = next(coming)
                candidate = self._candidate(index, slot, plan, asked[slot], made, reference)
                measured = isinstance(made.model, Model) and candidate.fault is None
                yield candidate, made.model.sketch if measured and isinstance(made.model, Model) else None

    def _polished(self, generation: int, slot: int, plan: Plan) -> MergeNode | Fault:
        """What shall be made: weights are found where the plan asks for them and none were recorded."""
        known = self._known.get((generation, slot))
        if known is not None:
            same(plan, known)
            return root_of(known)
        if plan.polish is None:
            return plan.recipe
        start = time.perf_counter()
        try:
            return polished_recipe(self._bench, plan.recipe, plan.polish, self._job.poll)
        finally:
            self._job.timing("polish", time.perf_counter() - start)

    def _make(self, recipe: MergeNode | Fault, plan: Plan) -> _Made:
        start, fisher = time.perf_counter(), self._bench.fisher_seconds
        tensors = recipe if isinstance(recipe, Fault) else self._bench.attempt(recipe)
        if isinstance(tensors, Fault):
            outline = self._bench.outline(plan.recipe)
            return _Made(outline, tensors, time.perf_counter() - start, self._bench.fisher_seconds - fisher)
        model = Model(tensors, digest_tensors(tensors), sketch(tensors, self._bench.base))
        return _Made(tensors, model, time.perf_counter() - start, self._bench.fisher_seconds - fisher)

    def _candidate(
        self,
        generation: int,
        slot: int,
        plan: Plan,
        recipe: MergeNode | Fault,
        made: _Made,
        reference: Reference,
    ) -> Candidate:
        """Measure what was made, unless it was recorded before a restart."""
        self._job.timing("merge", made.seconds - made.fisher_seconds)
        self._job.timing("fisher", made.fisher_seconds)
        known = self._known.get((generation, slot))
        if known is not None:
            return known
        start = time.perf_counter()
        digest = made.model.digest if isinstance(made.model, Model) else None
        cached = digest in self._measured
        scored = self._scored(made.model, reference)
        fault = scored if isinstance(scored, Fault) else None
        candidate = Candidate(
            id=f"{self._job.run_id}.g{generation}.s{slot}",
            run_id=self._job.run_id,
            generation=generation,
            slot=slot,
            role=plan.role,
            op=plan.op,
            parents=plan.parents,
            recipe=plan.recipe if isinstance(recipe, Fault) else recipe,
            digest=digest,
            parameters=entries_of(made.outline),
            bytes=size_of(made.outline),
            fitness=NOT_MEASURED if isinstance(scored, Fault) else scored,
            fault=fault,
            polished=plan.polished,
            merge_seconds=made.seconds,
            evaluate_seconds=time.perf_counter() - start,
            cached=cached,
        )
        self._job.candidate(candidate)
        self._known[generation, slot] = candidate
        self._note(candidate)
        return candidate

    def _note(self, candidate: Candidate) -> None:
        if candidate.digest is not None:
            self._measured.setdefault(candidate.digest, candidate.fault or candidate.fitness)
            self._recipes.setdefault(candidate.digest, root_of(candidate))

    def _scored(self, model: Model | Fault, reference: Reference) -> Fitness | Fault:
        """Each set of tensors is measured once."""
        if isinstance(model, Fault):
            return model
        if model.digest not in self._measured:
            return self._raced(model, reference)
        return self._measured[model.digest]

    def _raced(self, model: Model, reference: Reference) -> Fitness | Fault:
        """Block after block, until there are no more problems or it is worse than the fourth best."""
        rival = self._rival(reference) if self._racing else None
        for answers in self._answers(model.tensors):
            if isinstance(answers, Fault):
                return answers
            own = self._bench.by_problem(answers, model.tensors, reference)
            scored = self._bench.fitness(answers.scores(), model.tensors, reference)
            if rival is not None and len(own) < len(rival) and worse(own, rival):
                return scored.model_copy(update={"partial": True})
        self._by_problem[model.digest] = own
        return scored

    def _answers(self, tensors: Tensors) -> Iterator[Answers | Fault]:
        """All so far, after each block; the same blocks whenever they are measured, so that no last bit differs."""
        problems, found = self._bench.evaluator.problems, None
        stops = ends(problems) if self._racing else [problems]
        for start, stop in zip([0, *stops], stops, strict=False):
            more = self._bench.answers(tensors, "selection", start, stop)
            if isinstance(more, Fault):
                yield more
                return
            if len(more):
                found = more if found is None else found.joined(more)
                yield found

    def _rival(self, reference: Reference) -> Floats | None:
        """Problem by problem the fitness of the fourth best so far, measured again where another process did it."""
        whole = [
            (digest, scored)
            for digest, scored in self._measured.items()
            if isinstance(scored, Fitness) and not scored.partial
        ]
        if len(whole) < RIVAL:
            return None
        digest = sorted(whole, key=lambda one: -one[1].total)[RIVAL - 1][0]
        if digest not in self._by_problem:
            tensors = self._bench.make(self._recipes[digest])
            *_, answers = self._answers(tensors)
            if isinstance(answers, Fault):
                return None
            self._by_problem[digest] = self._bench.by_problem(answers, tensors, reference)
        return self._by_problem[digest]


def races(config: EvoMergeConfig) -> bool:
    """Optimizers of real numbers are told scores, which those of few problems and those of many must not mix."""
    return config.racing and config.strategy == "tournament"


def same(plan: Plan, recorded: Candidate) -> None:
    """Raises `OtherSearch` where the plan is not what the recorded candidate was made from."""
    recipe = root_of(recorded)
    polished = plan.polish is not None and recorded.fault is None
    if recipe_digest(plan.recipe) != recipe_digest(recipe.inputs[0] if polished else recipe):
        raise OtherSearch(
            f"{recorded.id} was recorded with another recipe than the search asks for now: another version of this "
            "program, or of a library that it searches with, began the run. Make a new run"
        )
