"""Whole runs whose parents share no foundation: their units are brought into one order first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from evomerge.scrambled import scrambled
from evomerge.tiny import ARCHITECTURE, TinyEvaluator, bred, job_with_parents, reported, tiny_evaluator
from memory_job import MemoryJob
from torch import Tensor

from agent_forge.contract.errors import Cancelled, Paused
from agent_forge.contract.evomerge import EvoMergeConfig
from agent_forge.contract.recipe import Leaf, MergeNode
from agent_forge.evomerge.measure.racing import RIVAL
from agent_forge.evomerge.phase import run
from agent_forge.evomerge.recipe.alignment import aligned, reference_of
from agent_forge.evomerge.recipe.materialise import Recall, materialise
from agent_forge.evomerge.recipe.tree import nodes, recipe_digest
from agent_forge.registry.tensors import digest_tensors

LEAVES = [Leaf(model_id=name, digest=name * 64) for name in "abc"]
MEASURED_FIRST = 14
"""Parents, task arithmetic and TIES with each λ, their mean, SWUDI."""
POLLS_BEFORE = 20
"""The first checkpoint: aligned parents, what is measured, decoupled parents."""
FOUNDATION = Leaf(model_id="f", digest="f" * 64)


@pytest.mark.parametrize(
    ("mode", "foundation", "reference"),
    [
        ("auto", None, LEAVES[0]),
        ("auto", FOUNDATION, None),
        ("never", None, None),
        ("always", FOUNDATION, FOUNDATION),
        ("always", None, LEAVES[0]),
    ],
)
def test_reference(mode: str, foundation: Leaf | None, reference: Leaf | None) -> None:
    assert reference_of(mode, LEAVES, foundation) == reference  # type: ignore[arg-type]


def test_recipes_of_aligned_parents() -> None:
    assert aligned(LEAVES, None, 4) == LEAVES
    first, second, _ = aligned(LEAVES, LEAVES[0], 4)
    assert first == LEAVES[0]
    assert second == MergeNode(op="align", inputs=[LEAVES[1], LEAVES[0]], parameters={"heads": 4, "iterations": 20})
    assert all(isinstance(made, MergeNode) for made in aligned(LEAVES, FOUNDATION, 4))


def independent(directory: Path) -> tuple[MemoryJob, list[str]]:
    """Parents without a foundation in common, the second and third with their units in orders of their own."""
    job, parents = job_with_parents(directory, founded=False)
    for seed, parent in enumerate(parents[1:]):
        model, tensors = job.models[parent]
        moved = scrambled(tensors, ARCHITECTURE.n_heads, seed)
        job.models[parent] = model.model_copy(update={"digest": digest_tensors(moved)}), moved
    return job, parents


def test_a_run(tmp_path: Path) -> None:
    job, parents = independent(tmp_path)
    evaluator = TinyEvaluator()
    run(EvoMergeConfig(parents=parents, generations=2, polish_steps=3), job, lambda *_: evaluator)

    for one in job.candidates():
        ops = [node.op for node in nodes(one.recipe) if isinstance(node, MergeNode)]
        assert "align" in ops
        rebuilt = materialise(one.recipe, lambda leaf: job.load_model(leaf.model_id)[1], TinyEvaluator())
        assert digest_tensors(rebuilt) == one.digest

    report = reported(job)
    assert report.aligned_to == parents[0]
    assert [(one.first, one.second) for one in report.barriers] == [
        (parents[0], parents[1]),
        (parents[0], parents[2]),
        (parents[1], parents[2]),
    ]
    for one in report.barriers:
        assert one.after is not None
        assert len(one.before.points) == len(one.after.points) == 5
        assert one.after.barrier < one.before.barrier
    assert {"align", "barrier"} <= job.timings.keys()
    # 3 parents and their single merges, 3 pairs before and after, 2 generations
    expected = MEASURED_FIRST + 2 * 9 + sum(not one.cached for one in job.candidates())
    assert evaluator.splits.count("selection") == expected


def test_the_mean_of_aligned_parents_is_better(tmp_path: Path) -> None:
    fitness = {}
    for mode in ("auto", "never"):
        job, parents = independent(tmp_path / mode)
        run(EvoMergeConfig(parents=parents, generations=1, align=mode), job, tiny_evaluator)  # type: ignore[arg-type]
        report = reported(job)
        assert (report.aligned_to is None) == (mode == "never")
        assert all((one.after is None) == (mode == "never") for one in report.barriers)
        fitness[mode] = {one.name: one.selection.total for one in report.baselines}
    assert fitness["auto"]["uniform_average"] > fitness["never"]["uniform_average"] + 0.01
    assert fitness["auto"]["parent:sum"] == fitness["never"]["parent:sum"]


@pytest.mark.parametrize("interruption", [2, 17, 22, 25, 33, 45])
def test_resumed_equals_uninterrupted(tmp_path: Path, interruption: int) -> None:
    undisturbed, parents = independent(tmp_path / "a")
    config = EvoMergeConfig(parents=parents, generations=2, barrier_points=1, polish_steps=3)
    run(config, undisturbed, tiny_evaluator)
    job, _ = independent(tmp_path / "b")
    with job.stopped_at(interruption):
        run(config, job, tiny_evaluator)
    measured = len(job.reported.get("barriers", []))
    evaluator = TinyEvaluator()
    run(config, job, lambda *_: evaluator)
    assert bred(job) == bred(undisturbed)
    assert job.reported["barriers"] == undisturbed.reported["barriers"]
    # no pair that was measured is measured again
    first = MEASURED_FIRST if interruption <= POLLS_BEFORE else 0
    assert evaluator.splits.count("selection") <= first + 2 * (3 - measured) + 16 + RIVAL


def test_cancelled_while_aligning_again_keeps_the_champion(tmp_path: Path) -> None:
    job, parents = independent(tmp_path)
    config = EvoMergeConfig(parents=parents, generations=3, barrier_points=1, polish_steps=0)
    bred_some = POLLS_BEFORE + 2 * 3 + 12
    for end, signal in ((bred_some, Paused), (bred_some + 1, Cancelled)):
        with job.stopped_at(end, signal):
            run(config, job, tiny_evaluator)
    best = max((one for one in job.candidates() if not one.fitness.partial), key=lambda one: one.fitness.total)
    assert job.load_model(job.reported["champion_model_id"])[0].digest == best.digest


def test_an_aligned_parent_is_made_once(tmp_path: Path) -> None:
    job, parents = independent(tmp_path)
    leaves = [Leaf(model_id=one, digest=job.models[one][0].digest) for one in parents]
    made = aligned(leaves, leaves[0], ARCHITECTURE.n_heads)
    loaded: list[str] = []

    def load(leaf: Leaf) -> Mapping[str, Tensor]:
        loaded.append(leaf.model_id)
        return job.models[leaf.model_id][1]

    ties = MergeNode(op="ties", inputs=made, base=MergeNode(op="linear", inputs=made), parameters={"density": 0.3})
    fisher = MergeNode(op="fisher", inputs=made, parameters={"calibration": {"split": "all"}})
    alone = [digest_tensors(materialise(one, load, TinyEvaluator())) for one in (ties, fisher)]
    recall = Recall(lasting={recipe_digest(one) for one in (*made[1:], ties.base) if one is not None})
    for _ in range(2):
        loaded.clear()
        both = [digest_tensors(materialise(one, load, TinyEvaluator(), recall)) for one in (ties, fisher)]
        assert both == alone
    # all that is left to load is the first parent, which stays as it is
    assert set(loaded) == {parents[0]}
    assert len(recall.made) == len(recall.fishers) == 3
    assert {key[1] for key in recall.statistics if isinstance(key, tuple)} == {recipe_digest(one) for one in made}


def test_a_foundation_in_common_changes_nothing(tmp_path: Path) -> None:
    digests = []
    for mode in ("auto", "never"):
        job, parents = job_with_parents(tmp_path / mode)
        run(EvoMergeConfig(parents=parents, generations=2, align=mode), job, tiny_evaluator)  # type: ignore[arg-type]
        digests.append([(one.digest, recipe_digest(one.recipe)) for one in job.candidates()])
        assert reported(job).aligned_to is None
        assert len(reported(job).barriers) == 3
    assert digests[0] == digests[1]
