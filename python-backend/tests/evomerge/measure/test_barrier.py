"""The rise of loss between two models: as arithmetic, and with a real TinyTitan and its permuted copy."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from evomerge.scrambled import scrambled
from torch import Tensor

from agent_forge.cognate.datasets.registry import builtin
from agent_forge.cognate.evaluation import Evaluator, ProblemSet
from agent_forge.cognate.initialization import draw_all
from agent_forge.cognate.mixture import Mixture
from agent_forge.cognate.presets import resolve
from agent_forge.cognate.tokenizer import ByteTokenizer
from agent_forge.cognate.training import FROM_SCRATCH, Trainer
from agent_forge.contract.architecture import Preset, TinyTitan
from agent_forge.contract.cognate import CognateConfig
from agent_forge.contract.fault import Fault
from agent_forge.contract.recipe import Leaf, MergeNode, Recipe
from agent_forge.evomerge.measure.barrier import Means, Parent, measure, pairs, path
from agent_forge.evomerge.recipe.alignment import aligned
from agent_forge.evomerge.recipe.materialise import materialise
from agent_forge.registry.tensors import digest_tensors

ARCH = TinyTitan(preset=Preset.nano, vocab_size=264, d_model=32, n_layers=2, n_heads=2, d_ff=64, window=8)


@pytest.mark.parametrize(
    ("losses", "barrier"),
    [
        ([1.0, 1.0, 1.0], 0.0),
        ([1.0, 3.0, 1.0], 2.0),
        ([1.0, 2.0, 3.0], 0.0),  # a slope is no hill
        ([1.0, 3.5, 3.0], 1.5),
        ([3.0, 1.0, 1.0], 0.0),  # a valley neither
        ([0.0, 0.5, 4.0, 3.5, 0.0], 4.0),
        ([1.0, 2.0], 0.0),
    ],
)
def test_the_barrier_is_the_rise_above_the_straight_line(losses: list[float], barrier: float) -> None:
    step = 1 / (len(losses) - 1)
    assert path([(index * step, Means(loss, 0.5)) for index, loss in enumerate(losses)]).barrier == pytest.approx(
        barrier
    )


def test_a_path_with_a_point_that_has_no_loss_has_no_barrier() -> None:
    fault = Fault(kind="output_not_finite", message="there")
    found = path([(0, Means(1.0, 0.5)), (0.5, fault), (0.75, Means(9.0, 0.5)), (1, Means(1.0, 0.5))])
    assert (found.barrier, found.fault) == (None, fault)
    assert [(point.loss, point.accuracy) for point in found.points] == [(1, 0.5), (None, None), (9, 0.5), (1, 0.5)]


@pytest.mark.parametrize(
    ("parents", "compared"),
    [(2, [(0, 1)]), (3, [(0, 1), (0, 2), (1, 2)]), (5, [(0, 1), (0, 2), (0, 3), (0, 4)])],
)
def test_pairs(parents: int, compared: list[tuple[int, int]]) -> None:
    assert pairs(parents) == compared


@cache
def trained() -> dict[str, Tensor]:
    """It has learnt something: the loss of a mean of unlike models is higher."""
    mixture = Mixture([builtin("parity", 1, ARCH.window)], [1.0], ByteTokenizer(), 512, 256)
    config = resolve(CognateConfig(batch_tokens=512))
    trainer = Trainer(
        ARCH,
        draw_all(ARCH, 1),
        config,
        mixture,
        stage="foundation",
        seed=1,
        total_steps=60,
        device=torch.device("cpu"),
        regime=FROM_SCRATCH,
    )
    for _ in range(60):
        trainer.step()
    return {name: tensor.clone() for name, tensor in trainer.tensors().items()}


def test_aligning_a_permuted_copy_takes_the_hill_away() -> None:
    chosen = ProblemSet(("parity",), 1, 32)
    evaluator = Evaluator(ARCH, chosen, chosen)
    models = {"original": trained(), "permuted": scrambled(trained(), ARCH.n_heads, 3)}
    leaves = [Leaf(model_id=name, digest=digest_tensors(tensors)) for name, tensors in models.items()]

    def score(recipe: Recipe) -> Means:
        [task] = evaluator.evaluate(materialise(recipe, lambda leaf: models[leaf.model_id]), "selection").tasks
        return Means(task.loss, task.accuracy)

    ends = [
        Parent(leaf, made, score(leaf))
        for leaf, made in zip(leaves, aligned(leaves, leaves[0], ARCH.n_heads), strict=True)
    ]
    assert ends[1].means.loss == pytest.approx(ends[0].means.loss, abs=1e-4)
    assert isinstance(ends[1].aligned, MergeNode)
    found = measure(ends[0], ends[1], 3, score)
    assert [point.t for point in found.before.points] == [0, 0.25, 0.5, 0.75, 1]
    assert (found.first, found.second) == ("original", "permuted")
    assert found.before.barrier is not None
    assert found.before.barrier > 0.3
    assert found.after is not None
    assert found.after.barrier is not None
    assert found.after.barrier < 1e-4
    assert measure(ends[0], ends[0], 1, score).after is None
