"""One EvoMerge run, from its parents to its champion."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from ..contract.errors import Cancelled
from ..contract.evomerge import Candidate, EvoMergeConfig, Fitness, Generation
from ..contract.fault import Fault
from ..contract.job import Job
from ..contract.report import Baseline, MergeBarrier, StoppedBy
from ..registry.tensors import digest_tensors
from .ahead import ahead
from .champion import better, register
from .errors import NoChampion, OtherSearch
from .measure.barrier import survey
from .measure.baselines import first_baselines, generation_0, on_heldout
from .measure.diversity import Sketch, diversity, sketch
from .measure.fitness import NOT_MEASURED, MakeEvaluator, Reference
from .measure.workbench import Tensors, Workbench, entries_of, size_of
from .recipe.tree import recipe_digest
from .search.stopping import Gains
from .search.strategies import strategy_of
from .search.strategy import Plan


class _State(BaseModel):
    """A checkpoint: which generation comes next, and what recorded candidates don't tell of those before."""

    model_config = ConfigDict(extra="forbid")

    index: int
    diversities: list[float]
    baselines: list[Baseline]
    reference: tuple[float, float]
    """Parents' mean FLOPs per token on the selection split, mean bytes."""
    barriers: list[MergeBarrier] = []
    """Of the first pairs of parents; the rest are still to be measured."""


def run(config: EvoMergeConfig, job: Job, make_evaluator: MakeEvaluator) -> None:
    """Breed, measure, and register the best. Resumes from the last checkpoint and the candidates recorded since.

    Raises `Paused` and `Cancelled` as `job.poll` does; a cancelled run registers its champion so far. Raises
    `MergeRefused` where the parents can't be merged or measured, or no candidate can.
    """
    evolution = _Evolution(config, job, make_evaluator)
    try:
        evolution.breed()
    except Cancelled:
        evolution.keep_champion()
        job.report({"stopped_by": "cancelled"})
        raise


@dataclass(frozen=True)
class _Model:
    tensors: dict[str, Tensor]
    digest: str
    sketch: Sketch


@dataclass(frozen=True)
class _Made:
    """A candidate that is merged and not yet measured."""

    outline: Tensors
    """Names, shapes and dtypes, whether or not there are tensors."""
    model: _Model | Fault
    seconds: float
    fisher_seconds: float
    """Of these, spent on measuring what was merged."""


class _Evolution:
    def __init__(self, config: EvoMergeConfig, job: Job, make_evaluator: MakeEvaluator) -> None:
        self.config, self.job = config, job
        self.total = config.generations * config.population
        self.bench = Workbench(config, job, make_evaluator)
        self.strategy = strategy_of(config, self.bench.frame)
        self.gains = Gains()
        self.champion: Candidate | None = None
        self.recorded = {(one.generation, one.slot): one for one in job.candidates()}
        self.measured: dict[str, Fitness | Fault] = {}
        """By digest."""
        for one in self.recorded.values():
            if one.digest is not None:
                self.measured.setdefault(one.digest, one.fault or one.fitness)
            self.champion = better(self.champion, one)

    def breed(self) -> None:
        saved = self.job.load_checkpoint()
        state = _State.model_validate(saved[1]) if saved else None
        if state is not None:
            self._replay(state)
        self.bench.prepare(self.job.poll)
        state = self._survey(state or self._begin())
        stopped_by: StoppedBy = "generations"
        while state.index < self.config.generations:
            if self.gains.exhausted(self.config.patience):
                stopped_by = "patience"
                break
            state = self._generation(state)
            self.job.save_checkpoint({}, state.model_dump(mode="json"))
        self._finish(state, stopped_by)

    def _begin(self) -> _State:
        """Measure what the candidates will be compared with."""
        self.job.progress(0, self.total, "candidates", "parents")
        foundation = self.bench.frame.foundation
        self.job.log(
            f"{len(self.bench.parents)} parents; task vectors about "
            + (f"their foundation {foundation.model_id}" if foundation else "their mean: they share no foundation")
        )
        baselines, reference = first_baselines(self.bench, self.job.poll)
        reference_model = self.bench.reference_model
        self.job.report(
            {"baselines": _json(baselines), "aligned_to": reference_model.model_id if reference_model else None}
        )
        state = _State(
            index=0, diversities=[], baselines=baselines, reference=(reference.flops_per_token, reference.bytes)
        )
        self.job.save_checkpoint({}, state.model_dump(mode="json"))
        self._meet(state)
        return state

    def _meet(self, state: _State) -> None:
        self.strategy.meet(state.baselines[: len(self.bench.parents)])

    def _survey(self, state: _State) -> _State:
        """Measure what parts the parents, each pair once, however often the run is resumed."""
        for found in survey(self.bench, state.baselines, len(state.barriers), self.config.barrier_points, self.job):
            state = state.model_copy(update={"barriers": [*state.barriers, found]})
            self.job.report({"barriers": _json(state.barriers)})
            self.job.save_checkpoint({}, state.model_dump(mode="json"))
        return state

    def _replay(self, state: _State) -> None:
        """Ask and tell the strategy again what is recorded, so that it stands where it stood."""
        self._meet(state)
        for index in range(state.index):
            plans = self.strategy.ask()
            candidates = [self.recorded[index, slot] for slot in range(len(plans))]
            for plan, candidate in zip(plans, candidates, strict=True):
                _same(plan, candidate)
            self._tell(candidates, state.diversities[index])

    def _generation(self, state: _State) -> _State:
        """Make and measure one generation; the state for the next."""
        start = time.perf_counter()
        reference = Reference(*state.reference)
        candidates: list[Candidate] = []
        sketches: list[Sketch] = []
        plans = self.strategy.ask()
        with closing(ahead([partial(self._make, plan) for plan in plans])) as coming:
            for slot, plan in enumerate(plans):
                self.job.poll()
                done = state.index * self.config.population + slot
                self.job.progress(done, self.total, "candidates", f"generation {state.index}")
                made = next(coming)
                candidates.append(self._candidate(state.index, slot, plan, made, reference))
                if candidates[-1].fault is None and isinstance(made.model, _Model):
                    sketches.append(made.model.sketch)
                self._challenge(candidates[-1])
        spread = diversity(sketches)
        self._tell(candidates, spread)
        baselines = state.baselines
        if state.index == 0:
            baselines = [*baselines, generation_0(_ranked(candidates) or candidates)]
            self.job.report({"baselines": _json(baselines)})
        self.job.generation(self._summary(state.index, candidates, spread, time.perf_counter() - start))
        return state.model_copy(
            update={"index": state.index + 1, "diversities": [*state.diversities, spread], "baselines": baselines}
        )

    def _make(self, plan: Plan) -> _Made:
        start, fisher = time.perf_counter(), self.bench.fisher_seconds
        model: _Model | Fault
        tensors = self.bench.attempt(plan.recipe)
        if isinstance(tensors, Fault):
            outline, model = self.bench.outline(plan.recipe), tensors
        else:
            outline, model = tensors, _Model(tensors, digest_tensors(tensors), sketch(tensors, self.bench.base))
        fisher = self.bench.fisher_seconds - fisher
        return _Made(outline, model, time.perf_counter() - start, fisher)

    def _candidate(self, generation: int, slot: int, plan: Plan, made: _Made, reference: Reference) -> Candidate:
        """Measure what was made, unless it was recorded before a restart."""
        self.job.timing("merge", made.seconds - made.fisher_seconds)
        self.job.timing("fisher", made.fisher_seconds)
        known = self.recorded.get((generation, slot))
        if known is not None:
            _same(plan, known)
            return known
        start = time.perf_counter()
        cached = isinstance(made.model, _Model) and made.model.digest in self.measured
        scored = self._scored(made.model, reference)
        fault = scored if isinstance(scored, Fault) else None
        candidate = Candidate(
            id=f"{self.job.run_id}.g{generation}.s{slot}",
            run_id=self.job.run_id,
            generation=generation,
            slot=slot,
            role=plan.role,
            op=plan.op,
            parents=plan.parents,
            recipe=plan.recipe,
            digest=made.model.digest if isinstance(made.model, _Model) else None,
            parameters=entries_of(made.outline),
            bytes=size_of(made.outline),
            fitness=NOT_MEASURED if isinstance(scored, Fault) else scored,
            fault=fault,
            merge_seconds=made.seconds,
            evaluate_seconds=time.perf_counter() - start,
            cached=cached,
        )
        self.job.candidate(candidate)
        return candidate

    def _scored(self, model: _Model | Fault, reference: Reference) -> Fitness | Fault:
        """Each set of tensors is measured once."""
        if isinstance(model, Fault):
            return model
        if model.digest not in self.measured:
            scores = self.bench.evaluate(model.tensors, "selection")
            self.measured[model.digest] = (
                scores if isinstance(scores, Fault) else self.bench.fitness(scores, model.tensors, reference)
            )
        return self.measured[model.digest]

    def _tell(self, candidates: Sequence[Candidate], spread: float) -> None:
        best = max(candidate.fitness.total for candidate in candidates)
        self.gains = self.gains.after(best, self.config.min_delta)
        self.strategy.tell(candidates, spread)

    def _challenge(self, candidate: Candidate) -> None:
        champion = better(self.champion, candidate)
        if champion is not None and champion is not self.champion:
            self.champion = champion
            self.job.report({"champion": _json(champion)})

    def _summary(self, index: int, candidates: Sequence[Candidate], spread: float, seconds: float) -> Generation:
        ranked = _ranked(candidates)
        totals = [candidate.fitness.total for candidate in ranked] or [NOT_MEASURED.total]
        sizes = [candidate.bytes for candidate in candidates]
        return Generation(
            run_id=self.job.run_id,
            index=index,
            best=totals[0],
            mean=sum(totals) / len(totals),
            worst=totals[-1],
            diversity=spread,
            champion_id=self.champion.id if self.champion else None,
            champion_fitness=self.champion.fitness.total if self.champion else None,
            ranked=[one.id for one in ranked],
            faulted=len(candidates) - len(ranked),
            min_bytes=min(sizes),
            max_bytes=max(sizes),
            seconds=seconds,
        )

    def _finish(self, state: _State, stopped_by: StoppedBy) -> None:
        """Touch the held-out split once, register the champion, report."""
        self.job.progress(self.total, self.total, "candidates", "held-out evaluation")
        if self.champion is None:
            self.job.report({"stopped_by": stopped_by})
            bred = state.index * self.config.population
            raise NoChampion(f"not one of {bred} candidates could be merged and measured")
        tensors = self.bench.make(self.champion.recipe)
        baselines, scored = on_heldout(self.bench, state.baselines, tensors, self.job.poll)
        fault = scored if isinstance(scored, Fault) else None
        heldout = None if isinstance(scored, Fault) else scored
        if fault is not None:
            self.job.log(f"the champion has no held-out scores: {fault.message}", "error")
        model = register(self.champion, self.bench, self.job, heldout, tensors)
        self.job.report(
            {
                "baselines": _json(baselines),
                "champion_model_id": model.id,
                "champion_heldout": _json(heldout) if heldout else None,
                "champion_heldout_fault": _json(fault) if fault else None,
                "stopped_by": stopped_by,
            }
        )

    def keep_champion(self) -> None:
        """What is there of a run that ends early: the best candidate so far, if any, without held-out scores."""
        if self.champion is not None:
            tensors = self.bench.make(self.champion.recipe)
            model = register(self.champion, self.bench, self.job, None, tensors)
            self.job.report({"champion_model_id": model.id})


def _ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that were measured, best first; of equals, the earlier slot first."""
    return sorted((one for one in candidates if one.fault is None), key=lambda one: -one.fitness.total)


def _same(plan: Plan, recorded: Candidate) -> None:
    """Raises `OtherSearch`."""
    if recipe_digest(plan.recipe) != recipe_digest(recorded.recipe):
        raise OtherSearch(
            f"{recorded.id} was recorded with another recipe than the search asks for now: another version of this "
            "program, or of a library that it searches with, began the run. Make a new run"
        )


def _json(value: BaseModel | Sequence[BaseModel]) -> Any:
    if isinstance(value, Sequence):
        return [one.model_dump(mode="json") for one in value]
    return value.model_dump(mode="json")
