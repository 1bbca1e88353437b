"""Candidates: made, raced against the best, measured, recorded."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import cache

from ..contract.evomerge import Candidate, EvoMergeConfig, Fitness
from ..contract.fault import Fault
from ..contract.job import Job
from ..contract.recipe import MergeNode
from ..execution.executor import Executor, Stream, TaskLost
from .children import Block, Child, Made, shared, worked_on
from .errors import OtherSearch
from .measure.diversity import Sketch
from .measure.fitness import NOT_MEASURED, Answers, Floats, MakeEvaluator, Reference, by_problem, fitness
from .measure.racing import RIVAL, ends, worse
from .measure.workbench import Workbench, entries_of, size_of
from .polish import polished_recipe
from .recipe.tree import recipe_digest
from .search.strategy import Plan, root_of


class Candidates:
    """Those of one run, with what earlier attempts recorded."""

    def __init__(
        self, config: EvoMergeConfig, job: Job, bench: Workbench, make_evaluator: MakeEvaluator, executor: Executor
    ) -> None:
        self._job, self._bench, self._racing, self._executor = job, bench, races(config), executor
        self._shared = cache(lambda: shared(bench, config, make_evaluator))
        """Called once the bench is settled."""
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
        children = [self._child(index, slot, plan, asked[slot]) for slot, plan in enumerate(plans)]
        with closing(self._executor.map(worked_on, self._shared(), children, self._job.poll)) as coming:
            for slot, plan in enumerate(plans):
                self._job.poll()
                yield self._candidate(index, slot, plan, children[slot].recipe, next(coming), reference)

    def _child(self, generation: int, slot: int, plan: Plan, asked: MergeNode | Fault) -> Child:
        name, recorded = f"g{generation}.s{slot}", (generation, slot) in self._known
        stops = [] if recorded else ends(self._problems) if self._racing else [self._problems]
        if isinstance(asked, Fault):
            return Child(name, plan.recipe, stops, asked)
        return Child(name, asked, stops)

    @property
    def _problems(self) -> int:
        return self._bench.evaluator.problems

    def _polished(self, generation: int, slot: int, plan: Plan) -> MergeNode | Fault:
        """What is to be made: weights are found where the plan asks for them and none were recorded."""
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

    def _candidate(
        self,
        generation: int,
        slot: int,
        plan: Plan,
        recipe: MergeNode,
        stream: Stream[Made | Block],
        reference: Reference,
    ) -> tuple[Candidate, Sketch | None]:
        """Measure what was made, unless it was recorded before a restart."""
        made = self._made(recipe, stream)
        self._job.timing("merge", made.seconds - made.fisher_seconds)
        self._job.timing("fisher", made.fisher_seconds)
        digest, drawn = (None, None) if isinstance(made.model, Fault) else made.model
        known = self._known.get((generation, slot))
        if known is not None:
            return known, drawn if known.fault is None else None
        cached = digest in self._measured
        measuring = _Measuring(stream)
        scored = self._scored(made, measuring, reference)
        fault = scored if isinstance(scored, Fault) else None
        if stream.node is not None:
            # what is measured in this process is counted where it is measured
            self._job.timing("evaluate", measuring.seconds)
        candidate = Candidate(
            id=f"{self._job.run_id}.g{generation}.s{slot}",
            run_id=self._job.run_id,
            generation=generation,
            slot=slot,
            role=plan.role,
            op=plan.op,
            parents=plan.parents,
            recipe=recipe,
            digest=digest,
            parameters=made.parameters,
            bytes=made.bytes,
            fitness=NOT_MEASURED if isinstance(scored, Fault) else scored,
            fault=fault,
            polished=plan.polished,
            merge_seconds=made.seconds,
            evaluate_seconds=measuring.seconds,
            cached=cached,
            node=stream.node,
        )
        self._job.candidate(candidate)
        self._known[generation, slot] = candidate
        self._note(candidate)
        return candidate, drawn if fault is None else None

    def _made(self, recipe: MergeNode, stream: Iterator[Made | Block]) -> Made:
        try:
            made = next(stream)
        except TaskLost as error:
            outline = self._bench.outline(recipe)
            return Made(entries_of(outline), size_of(outline), Fault(kind="task_lost", message=str(error)), 0.0, 0.0)
        assert isinstance(made, Made)  # noqa: S101 - what a child gives first
        return made

    def _note(self, candidate: Candidate) -> None:
        lost = candidate.fault is not None and candidate.fault.kind == "task_lost"
        if candidate.digest is not None and not lost:
            self._measured.setdefault(candidate.digest, candidate.fault or candidate.fitness)
            self._recipes.setdefault(candidate.digest, root_of(candidate))

    def _scored(self, made: Made, measuring: Iterable[Answers | Fault], reference: Reference) -> Fitness | Fault:
        """Each set of tensors is measured once."""
        if isinstance(made.model, Fault):
            return made.model
        digest, _ = made.model
        if digest not in self._measured:
            return self._raced(digest, made.bytes, measuring, reference)
        return self._measured[digest]

    def _raced(
        self, digest: str, size: int, measuring: Iterable[Answers | Fault], reference: Reference
    ) -> Fitness | Fault:
        """Block after block, until there are no more problems or it is worse than the fourth best.

        The rival is that of the candidates before it, in their order, whichever of them was measured first.
        """
        rival = self._rival(reference) if self._racing else None
        for answers in measuring:
            if isinstance(answers, Fault):
                return answers
            own = by_problem(answers, size, reference, self._bench.weights)
            scored = fitness(answers.scores(), size, reference, self._bench.weights)
            if rival is not None and len(own) < len(rival) and worse(own, rival):
                return scored.model_copy(update={"partial": True})
        self._by_problem[digest] = own
        return scored

    def _rival(self, reference: Reference) -> Floats | None:
        """Problem by problem the fitness of the fourth best so far, measured again where another process did so."""
        whole = [
            (digest, scored)
            for digest, scored in self._measured.items()
            if isinstance(scored, Fitness) and not scored.partial
        ]
        if len(whole) < RIVAL:
            return None
        digest = sorted(whole, key=lambda one: -one[1].total)[RIVAL - 1][0]
        if digest not in self._by_problem:
            again = worked_on(self._bench, Child(digest, self._recipes[digest], ends(self._problems)))
            made = self._made(self._recipes[digest], again)
            *_, answers = _Measuring(again)
            if isinstance(answers, Fault):
                return None
            self._by_problem[digest] = by_problem(answers, made.bytes, reference, self._bench.weights)
        return self._by_problem[digest]


class _Measuring:
    """All answers of one candidate so far, after each block; the same blocks whenever they are measured, so that no
    last bit differs."""

    def __init__(self, stream: Iterator[Made | Block]) -> None:
        self._stream = stream
        self.seconds = 0.0
        """Spent on them."""

    def __iter__(self) -> Iterator[Answers | Fault]:
        found: Answers | None = None
        try:
            for block in self._stream:
                assert isinstance(block, Block)  # noqa: S101 - what a child gives after the first
                self.seconds += block.seconds
                if isinstance(block.answers, Fault):
                    yield block.answers
                elif len(block.answers):
                    found = block.answers if found is None else found.joined(block.answers)
                    yield found
        except TaskLost as error:
            yield Fault(kind="task_lost", message=str(error))


def races(config: EvoMergeConfig) -> bool:
    """Optimizers of real numbers are told scores: those from few problems must not mix with those from many."""
    return config.racing and config.strategy == "tournament"


def same(plan: Plan, recorded: Candidate) -> None:
    """Raises `OtherSearch` where the plan is not what the recorded candidate was made from."""
    recipe = root_of(recorded)
    polished = plan.polish is not None and recorded.fault is None
    if recipe_digest(plan.recipe) != recipe_digest(recipe.inputs[0] if polished else recipe):
        raise OtherSearch(
            f"{recorded.id} was recorded with a different recipe from the one the search asks for now: the run was "
            "begun by another version of this program, or of a library that it searches with. Make a new run"
        )
