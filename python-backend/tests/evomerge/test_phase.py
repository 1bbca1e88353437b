"""Whole runs with tiny trained models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from evomerge.tiny import FAMILIES, FRESH, TinyEvaluator, bred, job_with_parents, reported, tiny_evaluator
from memory_job import MemoryJob

from agent_forge.contract.errors import Cancelled
from agent_forge.contract.evomerge import EvoMergeConfig, Role
from agent_forge.contract.model import ModelKind
from agent_forge.contract.recipe import MergeOrigin
from agent_forge.evomerge.errors import LeafChanged, NonFinite, OtherSearch, ShapesDiffer, WrongInputs
from agent_forge.evomerge.measure.racing import RIVAL
from agent_forge.evomerge.phase import run
from agent_forge.evomerge.recipe.materialise import materialise
from agent_forge.registry.tensors import digest_tensors

SINGLE = ["uniform_average", "task_arithmetic", "ties", "swudi"]
FRAME_POLLS = 18
"""Before the first checkpoint: parents, merges with each λ, decoupled parents and their sum, average, foundation."""


def summaries(job: MemoryJob) -> list[dict[str, Any]]:
    return [one.model_dump(exclude={"seconds"}) for _, one in sorted(job.generations.items())]


@pytest.fixture
def job(tmp_path: Path) -> tuple[MemoryJob, list[str]]:
    return job_with_parents(tmp_path)


def test_a_run(job: tuple[MemoryJob, list[str]]) -> None:
    ours, parents = job
    evaluator = TinyEvaluator()
    run(EvoMergeConfig(parents=parents, generations=4, polish_steps=5), ours, lambda *_: evaluator)
    candidates = ours.candidates()
    assert [(one.generation, one.slot) for one in candidates] == [(g, s) for g in range(4) for s in range(8)]
    assert sorted(ours.generations) == [0, 1, 2, 3]
    assert [one.role for one in candidates[:8]] == [Role.seed] * 8

    assert candidates[8].role is Role.polished
    whole = [one for one in candidates if not one.fitness.partial]
    best = max(whole, key=lambda one: one.fitness.total)
    last = ours.generations[3]
    assert (last.champion_id, last.champion_fitness) == (best.id, best.fitness.total)
    for index, generation in ours.generations.items():
        own = candidates[8 * index : 8 * index + 8]
        assert generation.ranked == [
            one.id for one in sorted(own, key=lambda one: (one.fitness.partial, -one.fitness.total))
        ]
        # those that stopped early saw other problems
        totals = [one.fitness.total for one in own if not one.fitness.partial]
        assert generation.stopped_early == len(own) - len(totals)
        assert (generation.worst, generation.best) == (min(totals), max(totals))
        assert 0 < generation.diversity <= 2

    report = reported(ours)
    names = [f"parent:{name}" for name in FAMILIES]
    assert [one.name for one in report.baselines] == [*names, *SINGLE, "foundation", "best_generation_0"]
    assert [one.heldout is None for one in report.baselines] == [False] * 8 + [True]
    assert report.stopped_by == "generations"
    assert report.champion_heldout is not None

    # the best eight distinct candidates, each once, on problems that no candidate had seen
    assert len({one.candidate_id for one in report.finalists}) == 8
    assert all(one.fitness.problems == 3 * FRESH for one in report.finalists)
    assert [one.fitness.total for one in report.finalists] == sorted(
        (one.fitness.total for one in report.finalists), reverse=True
    )
    best = next(one for one in candidates if one.id == report.finalists[0].candidate_id)
    assert report.champion == best

    # the held-out split is touched once each: parents, single merges, foundation, champion with and without polish
    bred_once = 1 if report.unpolished_id in (None, best.id) else 2
    assert evaluator.splits.count("heldout") == 8 + bred_once
    assert set(evaluator.splits[-8 - bred_once :]) == {"heldout"}

    assert report.champion_model_id is not None
    model, tensors = ours.load_model(report.champion_model_id)
    assert (model.kind, model.digest) == (ModelKind.merged, best.digest)
    assert isinstance(model.origin, MergeOrigin)
    rebuilt = materialise(model.origin.recipe, lambda leaf: ours.load_model(leaf.model_id)[1], evaluator)
    assert digest_tensors(rebuilt) == digest_tensors(tensors) == best.digest
    assert model.metrics["selection/fitness"] == best.fitness.total


def test_every_candidate_can_be_made_again(job: tuple[MemoryJob, list[str]]) -> None:
    ours, parents = job
    run(EvoMergeConfig(parents=parents, generations=2, polish_steps=3, basis="decoupled"), ours, tiny_evaluator)
    assert any(one.polished for one in ours.candidates())
    for one in ours.candidates():
        tensors = materialise(one.recipe, lambda leaf: ours.load_model(leaf.model_id)[1], TinyEvaluator())
        assert digest_tensors(tensors) == one.digest


@pytest.mark.parametrize("interruption", [3, 14, 19, 24, 31, 34, 45])
def test_resumed_equals_uninterrupted(tmp_path: Path, interruption: int) -> None:
    undisturbed, parents = job_with_parents(tmp_path / "a")
    config = EvoMergeConfig(parents=parents, generations=3, seed=7, barrier_points=1, polish_steps=4)
    run(config, undisturbed, tiny_evaluator)

    job, _ = job_with_parents(tmp_path / "b")
    with job.stopped_at(interruption):
        run(config, job, tiny_evaluator)
    before = len(job.candidates())
    evaluator = TinyEvaluator()
    run(config, job, lambda *_: evaluator)
    assert bred(job) == bred(undisturbed)
    assert summaries(job) == summaries(undisturbed)
    assert {key: job.reported[key] for key in ("baselines", "barriers", "basis", "finalists", "champion_heldout")} == {
        key: undisturbed.reported[key] for key in ("baselines", "barriers", "basis", "finalists", "champion_heldout")
    }
    # nothing that was recorded is measured twice, but for those that others race against
    selections = evaluator.splits.count("selection")
    frame = 18 if interruption <= FRAME_POLLS else max(0, FRAME_POLLS + 4 - interruption)
    assert selections <= 24 - before + frame + (RIVAL if before else 0)


@pytest.mark.parametrize("strategy", ["cma_es", "ga", "de", "nsga2"])
@pytest.mark.parametrize("interruption", [25, 35, 40])
def test_every_strategy_resumes_as_if_uninterrupted(tmp_path: Path, strategy: str, interruption: int) -> None:
    """Interrupted within a generation, while it polishes, and at the end; replayed from what is recorded."""
    undisturbed, parents = job_with_parents(tmp_path / "a")
    config = EvoMergeConfig.model_validate(
        {
            "parents": parents,
            "generations": 4,
            "population": 5,
            "strategy": strategy,
            "ops": ["ties", "breadcrumbs"],
            "barrier_points": 0,
            "polish_steps": 3,
        }
    )
    run(config, undisturbed, tiny_evaluator)
    roles = [Role.seed] * 5 + [Role.asked] * 10 + [Role.polished] + [Role.asked] * 4
    assert [one.role for one in undisturbed.candidates()] == roles

    job, _ = job_with_parents(tmp_path / "b")
    with job.stopped_at(interruption):
        run(config, job, tiny_evaluator)
    job.found = {key: type(one).model_validate_json(one.model_dump_json()) for key, one in job.found.items()}
    run(config, job, tiny_evaluator)
    assert bred(job) == bred(undisturbed)
    assert summaries(job) == summaries(undisturbed)
    champions = [ours.load_model(ours.reported["champion_model_id"])[0].digest for ours in (job, undisturbed)]
    assert champions[0] == champions[1]


@pytest.mark.parametrize(("interruption", "changed"), [(48, "run.g1.s2"), (48, "run.g2.s1"), (22, "run.g0.s0")])
def test_resuming_what_another_search_began_is_refused(
    job: tuple[MemoryJob, list[str]], interruption: int, changed: str
) -> None:
    ours, parents = job
    config = EvoMergeConfig(parents=parents, generations=3, barrier_points=0, polish_steps=2)
    with ours.stopped_at(interruption):
        run(config, ours, tiny_evaluator)
    known = ours.found[changed]
    ours.found[changed] = known.model_copy(update={"recipe": known.recipe.model_copy(update={"seed": 1})})
    with pytest.raises(OtherSearch, match=changed):
        run(config, ours, tiny_evaluator)


def test_cancelled_run_keeps_its_champion(job: tuple[MemoryJob, list[str]]) -> None:
    ours, parents = job
    with ours.stopped_at(FRAME_POLLS + 5, Cancelled):
        run(EvoMergeConfig(parents=parents, generations=50, barrier_points=0), ours, tiny_evaluator)
    best = max(ours.candidates(), key=lambda one: one.fitness.total)
    assert ours.reported["stopped_by"] == "cancelled"
    assert ours.load_model(ours.reported["champion_model_id"])[0].digest == best.digest


def test_cancelled_before_any_candidate(job: tuple[MemoryJob, list[str]]) -> None:
    ours, parents = job

    def cancel(count: int) -> None:
        raise Cancelled

    ours.on_poll = cancel
    with pytest.raises(Cancelled):
        run(EvoMergeConfig(parents=parents), ours, tiny_evaluator)
    assert "champion_model_id" not in ours.reported


def test_patience_stops(job: tuple[MemoryJob, list[str]]) -> None:
    ours, parents = job
    run(EvoMergeConfig(parents=parents, generations=30, patience=1, min_delta=1), ours, tiny_evaluator)
    assert ours.reported["stopped_by"] == "patience"
    assert sorted(ours.generations) == [0, 1]


def test_equal_tensors_are_measured_once(job: tuple[MemoryJob, list[str]]) -> None:
    ours, parents = job
    evaluator = TinyEvaluator()
    config = EvoMergeConfig(parents=parents, generations=3, mutation_rate=0, barrier_points=0, polish_steps=0)
    run(config, ours, lambda *_: evaluator)
    distinct = {one.digest for one in ours.candidates()}
    assert evaluator.splits.count("selection") == 15 + len(distinct)
    assert sum(not one.cached for one in ours.candidates()) == len(distinct)


def test_parents_without_a_foundation(tmp_path: Path) -> None:
    ours, parents = job_with_parents(tmp_path, founded=False)
    run(EvoMergeConfig(parents=parents, generations=1), ours, tiny_evaluator)
    assert any("share no foundation" in str(line) for line in ours.logs)
    assert any("barrier between" in str(line) for line in ours.logs)
    base = ours.candidates()[0].recipe.inputs[0].base  # type: ignore[union-attr]
    assert base is not None
    assert base.kind == "merge"


def test_evolution_beats_its_first_generation_and_the_average(job: tuple[MemoryJob, list[str]]) -> None:
    ours, parents = job
    run(EvoMergeConfig(parents=parents, generations=20, polish_steps=40, finalists=0), ours, tiny_evaluator)
    by_name = {one["name"]: one["selection"]["total"] for one in ours.reported["baselines"]}
    champion = ours.reported["champion"]["fitness"]["total"]
    assert champion > by_name["best_generation_0"] + 0.05
    assert champion > by_name["uniform_average"]


def test_refused_parents(job: tuple[MemoryJob, list[str]]) -> None:
    ours, parents = job
    with pytest.raises(WrongInputs, match="twice"):
        run(EvoMergeConfig(parents=[parents[0], parents[0]]), ours, tiny_evaluator)
    model, tensors = ours.models[parents[0]]
    ours.models[parents[0]] = model, tensors | {"output_layer.bias": tensors["output_layer.bias"] * float("nan")}
    with pytest.raises(NonFinite, match=r"output_layer\.bias"):
        run(EvoMergeConfig(parents=parents), ours, tiny_evaluator)
    ours.models[parents[0]] = model, tensors | {"output_layer.bias": tensors["output_layer.bias"][:3]}
    with pytest.raises(ShapesDiffer):
        run(EvoMergeConfig(parents=parents), ours, tiny_evaluator)


def test_a_changed_foundation_is_refused(job: tuple[MemoryJob, list[str]]) -> None:
    ours, parents = job
    root = next(key for key in ours.models if key.endswith("foundation"))
    model, tensors = ours.models[root]
    ours.models[root] = model.model_copy(update={"digest": "0" * 64}), tensors
    with pytest.raises(LeafChanged):
        run(EvoMergeConfig(parents=parents), ours, tiny_evaluator)
