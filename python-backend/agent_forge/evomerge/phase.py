"""One EvoMerge run, from its parents to its champion."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from ..contract.evomerge import Baseline, Candidate, EvoMergeConfig, Fitness, Generation
from ..contract.job import Cancelled, Job, ModelDraft
from ..contract.model import Model, ModelKind
from ..contract.recipe import Leaf, MergeNode, MergeOrigin, Recipe
from ..registry.tensors import digest_tensors
from .diversity import Sketch, diversity, sketch
from .fitness import Evaluator, MakeEvaluator, Reference, Scores, Split, fitness
from .foundation import common_foundation
from .genome import Frame, express
from .layers import depth_of
from .ops.registry import merge_op_named, refuse_non_finite, same_shapes
from .recipe import Recall, materialise
from .refusal import LeafChanged, WrongInputs
from .stopping import Gains
from .tournament import POPULATION, Plan, Ranked, Scheme, first_generation, next_generation, rank

Tensors = Mapping[str, Tensor]


class _State(BaseModel):
    """A checkpoint: which generation comes next, and what it will be made of."""

    model_config = ConfigDict(extra="forbid")

    index: int
    plans: list[Plan]
    gains: Gains
    champion: tuple[str, Plan, float] | None
    """Candidate id, how it was made, fitness."""
    baselines: list[Baseline]
    reference: tuple[float, float]
    """Parents' mean FLOPs per token on the selection split, mean bytes."""


def run(config: EvoMergeConfig, job: Job, make_evaluator: MakeEvaluator) -> None:
    """Breed, measure, and register the best. Resumes from the last checkpoint and the candidates recorded since.

    Raises `Paused` and `Cancelled` as `job.poll` does; a cancelled run registers its champion so far. Raises
    `MergeRefused` where the parents can't be merged.
    """
    evolution = _Evolution(config, job, make_evaluator)
    try:
        evolution.breed()
    except Cancelled:
        evolution.register_champion()
        job.report({"stopped_by": "cancelled"})
        raise


class _Evolution:
    def __init__(self, config: EvoMergeConfig, job: Job, make_evaluator: MakeEvaluator) -> None:
        self.config, self.job = config, job
        loaded = [job.load_model(parent) for parent in config.parents]
        self.parents = [model for model, _ in loaded]
        self.leaves: dict[str, tuple[str, Tensors]] = {model.id: (model.digest, tensors) for model, tensors in loaded}
        if len(self.leaves) < len(loaded):
            raise WrongInputs("the same parent is named twice")
        same_shapes([tensors for _, tensors in loaded])
        for model, tensors in loaded:
            refuse_non_finite(tensors, f"model {model.id}")
        foundation = common_foundation(self.parents, lambda model_id: job.load_model(model_id)[0])
        self.evaluator: Evaluator = make_evaluator(config, self.parents)
        self.recall = Recall(finite={model.digest for model in self.parents})
        self.frame = Frame(
            parents=[Leaf(model_id=model.id, digest=model.digest) for model in self.parents],
            foundation=foundation,
            depth=depth_of(loaded[0][1]),
            calibration=dict(self.evaluator.calibration),
            mutation_rate=config.mutation_rate,
            mutation_sigma=config.mutation_sigma,
        )
        self.scheme = Scheme(config, tuple(model.id for model in self.parents), self.frame.depth)
        self.base = self._make(self.frame.foundation or self._average())
        self.measured: dict[str, Fitness] = {}
        self.recorded = {(one.generation, one.slot): one for one in job.candidates()}
        self.champion_candidate: Candidate | None = None

    def breed(self) -> None:
        saved = self.job.load_checkpoint()
        state = _State.model_validate(saved[1]) if saved else self._begin()
        self._restore(state)
        total = self.config.generations * POPULATION
        stopped_by = "generations"
        while state.index < self.config.generations:
            if state.gains.exhausted(self.config.patience):
                stopped_by = "patience"
                break
            state = self._generation(state, total)
            self.job.save_checkpoint({}, state.model_dump(mode="json"))
        self._finish(state, stopped_by)

    def _begin(self) -> _State:
        """Measure what the candidates will be compared with, and plan generation 0."""
        self.job.progress(0, self.config.generations * POPULATION, "candidates", "parents")
        foundation = self.frame.foundation
        self.job.log(
            f"{len(self.parents)} parents; task vectors about "
            + (f"their foundation {foundation.model_id}" if foundation else "their mean: they share no foundation")
        )
        tensors = [self.leaves[model.id][1] for model in self.parents]
        scores = []
        for one in tensors:
            self.job.poll()
            scores.append(self._evaluate(one, "selection"))
        reference = _reference(scores, tensors)
        self.job.poll()
        average = self._make(self._average())
        average_scores = self._evaluate(average, "selection")
        baselines = [
            self._baseline(f"parent:{model.name}", model.id, one, self._fitness(score, one, reference))
            for model, one, score in zip(self.parents, tensors, scores, strict=True)
        ]
        baselines.append(
            self._baseline("uniform_average", None, average, self._fitness(average_scores, average, reference))
        )
        self.job.report({"baselines": _json(baselines)})
        state = _State(
            index=0,
            plans=first_generation(self.scheme),
            gains=Gains(),
            champion=None,
            baselines=baselines,
            reference=(reference.flops_per_token, reference.bytes),
        )
        self.job.save_checkpoint({}, state.model_dump(mode="json"))
        return state

    def _restore(self, state: _State) -> None:
        for candidate in self.recorded.values():
            self.measured.setdefault(candidate.digest, candidate.fitness)
        self._crown(state)

    def _generation(self, state: _State, total: int) -> _State:
        """Make and measure one generation; the state for the next."""
        start = time.perf_counter()
        reference = Reference(*state.reference)
        candidates: list[Candidate] = []
        sketches: list[Sketch] = []
        for slot, plan in enumerate(state.plans):
            self.job.poll()
            self.job.progress(state.index * POPULATION + slot, total, "candidates", f"generation {state.index}")
            candidate, drawn = self._candidate(state.index, slot, plan, reference)
            candidates.append(candidate)
            sketches.append(drawn)
            self._challenge(candidate)
        ranked = rank(
            [
                Ranked(candidate.id, plan.genome, candidate.fitness.total)
                for candidate, plan in zip(candidates, state.plans, strict=True)
            ]
        )
        by_id = dict(zip((candidate.id for candidate in candidates), state.plans, strict=True))
        champion = state.champion
        if champion is None or ranked[0].fitness > champion[2]:
            champion = (ranked[0].id, by_id[ranked[0].id], ranked[0].fitness)
        spread = diversity(sketches)
        gains = state.gains.after(ranked[0].fitness, self.config.min_delta)
        sizes = [candidate.bytes for candidate in candidates]
        baselines = state.baselines
        if state.index == 0:
            best = next(candidate for candidate in candidates if candidate.id == ranked[0].id)
            baselines = [*baselines, _first_best(best)]
            self.job.report({"baselines": _json(baselines)})
        self.job.generation(
            Generation(
                run_id=self.job.run_id,
                index=state.index,
                best=ranked[0].fitness,
                mean=sum(one.fitness for one in ranked) / len(ranked),
                worst=ranked[-1].fitness,
                diversity=spread,
                champion_id=champion[0],
                champion_fitness=champion[2],
                ranked=[one.id for one in ranked],
                min_bytes=min(sizes),
                max_bytes=max(sizes),
                seconds=time.perf_counter() - start,
            )
        )
        crowned = Ranked(champion[0], champion[1].genome, champion[2])
        return _State(
            index=state.index + 1,
            plans=next_generation(self.scheme, state.index + 1, ranked, crowned, spread),
            gains=gains,
            champion=champion,
            baselines=baselines,
            reference=state.reference,
        )

    def _candidate(self, generation: int, slot: int, plan: Plan, reference: Reference) -> tuple[Candidate, Sketch]:
        """Make one candidate, and measure it unless it was recorded before a restart."""
        recipe = express(plan.genome, self.frame)
        start = time.perf_counter()
        tensors = self._make(recipe)
        drawn = sketch(tensors, self.base)
        known = self.recorded.get((generation, slot))
        if known is not None:
            self.job.timing("merge", time.perf_counter() - start)
            return known, drawn
        digest = digest_tensors(tensors)
        merged = time.perf_counter()
        cached = digest in self.measured
        if not cached:
            self.measured[digest] = self._fitness(self._evaluate(tensors, "selection"), tensors, reference)
        done = time.perf_counter()
        candidate = Candidate(
            id=f"{self.job.run_id}.g{generation}.s{slot}",
            run_id=self.job.run_id,
            generation=generation,
            slot=slot,
            role=plan.role,
            op=plan.genome.op,
            parents=plan.parents,
            recipe=recipe,
            digest=digest,
            parameters=sum(tensor.numel() for tensor in tensors.values()),
            bytes=_bytes(tensors),
            fitness=self.measured[digest],
            merge_seconds=merged - start,
            evaluate_seconds=done - merged,
            cached=cached,
        )
        self.job.candidate(candidate)
        self.job.timing("merge", merged - start)
        return candidate, drawn

    def _finish(self, state: _State, stopped_by: str) -> None:
        """Touch the held-out split once, register the champion, report."""
        total = self.config.generations * POPULATION
        self.job.progress(total, total, "candidates", "held-out evaluation")
        assert state.champion is not None  # noqa: S101 - there is one generation at least
        champion = self._make(express(state.champion[1].genome, self.frame))
        parents = [self.leaves[model.id][1] for model in self.parents]
        scores = []
        for tensors in [*parents, self._make(self._average()), champion]:
            self.job.poll()
            scores.append(self._evaluate(tensors, "heldout"))
        reference = _reference(scores[: len(parents)], parents)
        heldout = [self._fitness(score, champion, reference) for score in scores]
        baselines = [
            baseline.model_copy(update={"heldout": heldout[index]}) if index <= len(parents) else baseline
            for index, baseline in enumerate(state.baselines)
        ]
        model = self._register(champion, heldout[-1])
        self.job.report(
            {
                "baselines": _json(baselines),
                "champion_model_id": model.id,
                "champion_heldout": _json(heldout[-1]),
                "stopped_by": stopped_by,
            }
        )

    def register_champion(self) -> None:
        """What is there of a run that ends early: the best candidate so far, if any, without held-out scores."""
        if self.champion_candidate is not None:
            model = self._register(self._make(self.champion_candidate.recipe), None)
            self.job.report({"champion_model_id": model.id})

    def _register(self, tensors: Tensors, heldout: Fitness | None) -> Model:
        champion = self.champion_candidate
        assert champion is not None  # noqa: S101 - the callers have made its tensors
        start = time.perf_counter()
        if digest_tensors(tensors) != champion.digest:
            raise LeafChanged(
                f"{champion.id}, made again from its recipe, has another digest than when it was measured"
            )
        metrics = _metrics(champion.fitness, "selection") | (_metrics(heldout, "heldout") if heldout else {})
        model = self.job.register(
            ModelDraft(
                name=f"evomerge_champion_{champion.id}",
                directory=f"evomerge/{self.job.run_id}",
                kind=ModelKind.merged,
                specialization=None,
                architecture=self.evaluator.architecture,
                origin=MergeOrigin(run_id=self.job.run_id, candidate_id=champion.id, recipe=champion.recipe),
                parents=list(self.scheme.parents),
                metrics=metrics,
            ),
            tensors,
        )
        self.job.timing("io", time.perf_counter() - start)
        return model

    def _crown(self, state: _State) -> None:
        """Find the champion of the checkpoint among the recorded candidates."""
        if state.champion is not None:
            self.champion_candidate = next(
                candidate for candidate in self.recorded.values() if candidate.id == state.champion[0]
            )

    def _challenge(self, candidate: Candidate) -> None:
        best = self.champion_candidate
        if best is None or candidate.fitness.total > best.fitness.total:
            self.champion_candidate = candidate
            self.job.report({"champion": _json(candidate)})

    def _evaluate(self, tensors: Tensors, split: Split) -> Scores:
        start = time.perf_counter()
        scores = self.evaluator.evaluate(tensors, split)
        self.job.timing("evaluate", time.perf_counter() - start)
        return scores

    def _fitness(self, scores: Scores, tensors: Tensors, reference: Reference) -> Fitness:
        return fitness(scores, _bytes(tensors), reference, self.config.fitness)

    def _make(self, recipe: Recipe) -> dict[str, Tensor]:
        return materialise(recipe, self._leaf, self.evaluator.fisher, self.recall)

    def _leaf(self, leaf: Leaf) -> Tensors:
        if leaf.model_id not in self.leaves:
            model, loaded = self.job.load_model(leaf.model_id)
            self.leaves[leaf.model_id] = (model.digest, loaded)
        digest, tensors = self.leaves[leaf.model_id]
        if digest != leaf.digest:
            raise LeafChanged(f"{leaf.model_id} has digest {digest}, the recipe was made from {leaf.digest}")
        return tensors

    def _average(self) -> MergeNode:
        return MergeNode(
            op="linear", inputs=list(self.frame.parents), parameters=merge_op_named("linear").parameters({})
        )

    @staticmethod
    def _baseline(name: str, model_id: str | None, tensors: Tensors, selection: Fitness) -> Baseline:
        return Baseline(
            name=name,
            model_id=model_id,
            parameters=sum(tensor.numel() for tensor in tensors.values()),
            bytes=_bytes(tensors),
            selection=selection,
            heldout=None,
        )


def _first_best(best: Candidate) -> Baseline:
    return Baseline(
        name="best_generation_0",
        model_id=None,
        parameters=best.parameters,
        bytes=best.bytes,
        selection=best.fitness,
        heldout=None,
    )


def _reference(scores: Sequence[Scores], parents: Sequence[Tensors]) -> Reference:
    return Reference(
        flops_per_token=sum(score.flops_per_token for score in scores) / len(scores),
        bytes=sum(map(_bytes, parents)) / len(parents),
    )


def _bytes(tensors: Tensors) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _metrics(measured: Fitness, split: Split) -> dict[str, float]:
    return {f"{split}/fitness": measured.total} | {
        f"{split}/{measure}/{dataset}": value
        for dataset, scores in measured.tasks.items()
        for measure, value in scores.items()
    }


def _json(value: BaseModel | list[Baseline]) -> Any:
    return [one.model_dump(mode="json") for one in value] if isinstance(value, list) else value.model_dump(mode="json")
