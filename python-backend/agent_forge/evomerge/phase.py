"""One EvoMerge run, from its parents to its champion."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from ..contract.errors import Cancelled
from ..contract.evomerge import Candidate, EvoMergeConfig, Fitness, Generation
from ..contract.job import Job
from ..contract.report import Baseline, Basis, MergeBarrier, StoppedBy
from ..execution.executor import Executor
from ..execution.in_process import InProcess
from .candidates import Candidates, same
from .champion import better, register
from .errors import NoChampion
from .finals import finalists_of, finish
from .measure.barrier import survey
from .measure.baselines import generation_0, merges_measured, parents_measured
from .measure.diversity import Sketch, diversity
from .measure.fitness import NOT_MEASURED, MakeEvaluator, Reference
from .measure.workbench import Workbench
from .search.stopping import Gains
from .search.strategies import strategy_of


class _State(BaseModel):
    """A checkpoint: which generation comes next, and what recorded candidates don't tell of those before."""

    model_config = ConfigDict(extra="forbid")

    index: int
    diversities: list[float]
    baselines: list[Baseline]
    reference: tuple[float, float]
    """Parents' mean FLOPs per token on the selection split, mean bytes."""
    basis: Basis = "raw"
    plain_sum: Fitness | None = None
    """Of the task vectors of that basis, where it could be measured."""
    barriers: list[MergeBarrier] = []
    """Of the first pairs of parents; the rest are still to be measured."""


def run(config: EvoMergeConfig, job: Job, make_evaluator: MakeEvaluator, executor: Executor | None = None) -> None:
    """Breed, measure, and register the best. Resumes from the last checkpoint and the candidates recorded since.

    Raises `Paused` and `Cancelled` as `job.poll` does; a cancelled run registers its champion so far. Raises
    `MergeRefused` where the parents can't be merged or measured, or no candidate can.

    executor: where candidates are made and measured; None: in this process.
    """
    evolution = _Evolution(config, job, make_evaluator, executor or InProcess())
    try:
        evolution.breed()
    except Cancelled:
        evolution.keep_champion()
        job.report({"stopped_by": "cancelled"})
        raise


class _Evolution:
    def __init__(self, config: EvoMergeConfig, job: Job, make_evaluator: MakeEvaluator, executor: Executor) -> None:
        self.config, self.job = config, job
        self.total = config.generations * config.population
        self.bench = Workbench(config, job, make_evaluator)
        # again once the basis is known; here, so that what it refuses is refused before anything is measured
        self.strategy = strategy_of(config, self.bench.frame)
        self.gains = Gains()
        self.candidates = Candidates(config, job, self.bench, make_evaluator, executor)
        self.champion: Candidate | None = None
        for one in self.candidates.recorded():
            self.champion = better(self.champion, one)

    def breed(self) -> None:
        saved = self.job.load_checkpoint()
        state = _State.model_validate(saved[1]) if saved else None
        self.bench.prepare(self.job.poll)
        state = self._survey(self._resumed(state) if state is not None else self._begin())
        stopped_by: StoppedBy = "generations"
        while state.index < self.config.generations:
            if self.gains.exhausted(self.config.patience):
                stopped_by = "patience"
                break
            state = self._generation(state)
            self.job.save_checkpoint({}, state.model_dump(mode="json"))
        self._finish(state, stopped_by)

    def _begin(self) -> _State:
        """Measure what the candidates will be compared with, and find what they are made from."""
        self.job.progress(0, self.total, "candidates", "parents")
        foundation, reference_model = self.bench.foundation, self.bench.reference_model
        self.job.log(
            f"{len(self.bench.parents)} parents; task vectors about "
            + (f"their foundation {foundation.model_id}" if foundation else "their mean: they share no foundation")
        )
        parents, reference = parents_measured(self.bench, self.job.poll)
        self.job.report(
            {"baselines": _json(parents), "aligned_to": reference_model.model_id if reference_model else None}
        )
        self.job.progress(0, self.total, "candidates", "single merges")
        merges, sums = merges_measured(self.bench, reference, self.job.poll)
        basis = _basis(self.config, sums)
        compared = " against ".join(f"{fitness.total:.3f} {name}" for name, fitness in sums.items())
        self.job.log(f"recipes combine {basis} task vectors; fitness of the plain sum: {compared or 'not measurable'}")
        self.job.report({"baselines": _json([*parents, *merges]), "basis": basis})
        state = _State(
            index=0,
            diversities=[],
            baselines=[*parents, *merges],
            reference=(reference.flops_per_token, reference.bytes),
            basis=basis,
            plain_sum=sums.get(basis),
        )
        self.job.save_checkpoint({}, state.model_dump(mode="json"))
        self._meet(state)
        return state

    def _meet(self, state: _State) -> None:
        self.bench.settle(state.basis)
        self.strategy = strategy_of(self.config, self.bench.frame)
        self.strategy.meet(state.baselines[: len(self.bench.parents)], state.plain_sum)

    def _resumed(self, state: _State) -> _State:
        """Ask and tell the strategy again what is recorded, so that it stands where it stood."""
        self._meet(state)
        for index in range(state.index):
            plans = self.strategy.ask()
            candidates = [self.candidates.known(index, slot) for slot in range(len(plans))]
            for plan, candidate in zip(plans, candidates, strict=True):
                same(plan, candidate)
            self._tell(candidates, state.diversities[index])
        return state

    def _survey(self, state: _State) -> _State:
        """Measure the barriers between the parents, each pair once, however often the run is resumed."""
        for found in survey(self.bench, state.baselines, len(state.barriers), self.config.barrier_points, self.job):
            state = state.model_copy(update={"barriers": [*state.barriers, found]})
            self.job.report({"barriers": _json(state.barriers)})
            self.job.save_checkpoint({}, state.model_dump(mode="json"))
        return state

    def _generation(self, state: _State) -> _State:
        """Make and measure one generation; the state for the next."""
        start = time.perf_counter()
        candidates: list[Candidate] = []
        sketches: list[Sketch] = []
        plans = self.strategy.ask()
        done, stage = state.index * self.config.population, f"generation {state.index}"
        self.job.progress(done, self.total, "candidates", stage)
        for candidate, sketch in self.candidates.generation(state.index, plans, Reference(*state.reference)):
            candidates.append(candidate)
            if sketch is not None:
                sketches.append(sketch)
            self._challenge(candidate)
            self.job.progress(done + len(candidates), self.total, "candidates", stage)
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

    def _tell(self, candidates: Sequence[Candidate], spread: float) -> None:
        best = max((one.fitness.total for one in _whole(candidates)), default=NOT_MEASURED.total)
        self.gains = self.gains.after(best, self.config.min_delta)
        self.strategy.tell(candidates, spread)

    def _challenge(self, candidate: Candidate) -> None:
        champion = better(self.champion, candidate)
        if champion is not None and champion is not self.champion:
            self.champion = champion
            self.job.report({"champion": champion.model_dump(mode="json")})

    def _summary(self, index: int, candidates: Sequence[Candidate], spread: float, seconds: float) -> Generation:
        ranked = _ranked(candidates)
        whole = _whole(ranked)
        totals = [candidate.fitness.total for candidate in whole] or [NOT_MEASURED.total]
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
            stopped_early=len(ranked) - len(whole),
            faulted=len(candidates) - len(ranked),
            min_bytes=min(sizes),
            max_bytes=max(sizes),
            seconds=seconds,
        )

    def _finish(self, state: _State, stopped_by: StoppedBy) -> None:
        """Crown the champion on fresh problems, touch the held-out split once, register it, report."""
        if self.champion is None:
            self.job.report({"stopped_by": stopped_by})
            bred = state.index * self.config.population
            raise NoChampion(f"not one of {bred} candidates could be merged and measured")
        self.job.progress(self.total, self.total, "candidates", "finalists")
        recorded = self.candidates.recorded()
        finalists = finalists_of(recorded, self.config, self.bench, Reference(*state.reference), self.job.poll)
        crowned = next((one.candidate_id for one in finalists if one.fault is None), self.champion.id)
        self.champion = next(one for one in recorded if one.id == crowned)
        self.job.report({"finalists": _json(finalists), "champion": self.champion.model_dump(mode="json")})
        self.job.progress(self.total, self.total, "candidates", "held-out evaluation")
        found = finish(self.champion, recorded, state.baselines, self.bench, self.job)
        self.job.report(found | {"stopped_by": stopped_by})

    def keep_champion(self) -> None:
        """What a run that ends early has found: the best candidate so far, if any, without held-out scores."""
        if self.champion is not None:
            tensors = self.bench.make(self.champion.recipe)
            model = register(self.champion, self.bench, self.job, None, tensors)
            self.job.report({"champion_model_id": model.id})


def _ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that were measured, best first, those that stopped early last; of equals, the earlier slot first."""
    return sorted(
        (one for one in candidates if one.fault is None), key=lambda one: (one.fitness.partial, -one.fitness.total)
    )


def _whole(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that were measured on all problems: the fitness of others is not comparable, and may well be higher."""
    return [one for one in candidates if one.fault is None and not one.fitness.partial]


def _basis(config: EvoMergeConfig, sums: Mapping[str, Fitness]) -> Basis:
    """Of `auto` the one whose plain sum is fitter; raw where neither could be measured, or both are equally fit."""
    if config.basis != "auto":
        return config.basis
    return "decoupled" if _total(sums.get("decoupled")) > _total(sums.get("raw")) else "raw"


def _total(fitness: Fitness | None) -> float:
    return fitness.total if fitness is not None else NOT_MEASURED.total


def _json(values: Sequence[BaseModel]) -> Any:
    return [one.model_dump(mode="json") for one in values]
