"""Weights that follow their gradient, on tiny trained models."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from evomerge.tiny import FAMILIES, State, TinyEvaluator, family_of_four, loss_of
from torch import Tensor

from agent_forge.contract.evomerge import FitnessWeights
from agent_forge.evomerge.ops.registry import merge_op_named
from agent_forge.evomerge.polish import polish, ponder_cost
from agent_forge.evomerge.search.genome import TensorWeights

BASE, MODELS = family_of_four()


def gradient(tensors: Mapping[str, Tensor], step: int) -> State:
    return TinyEvaluator().gradient(tensors, 0, step, 16, 0.0)


def made(weights: TensorWeights) -> State:
    return merge_op_named("task_arithmetic")(MODELS, base=BASE, weights=weights)


def loss(weights: TensorWeights) -> float:
    return sum(float(loss_of(made(weights), family, "all")[0]) for family in range(len(FAMILIES))) / len(FAMILIES)


def even(value: float) -> TensorWeights:
    return {name: [value] * len(MODELS) for name in BASE}


def test_the_loss_falls_below_that_of_every_model_and_of_their_sum() -> None:
    alone = [{name: [float(other == own) for other in range(3)] for name in BASE} for own in range(3)]
    known = min(loss(weights) for weights in (*alone, even(1.0), even(1 / 3)))
    assert loss(polish(MODELS, BASE, None, 60, gradient)) < 0.8 * known


def test_the_first_step_goes_down_every_weight() -> None:
    """Adam's first step is the sign of the slope, which differences of the loss give too."""
    [*slopes] = polish(MODELS, BASE, even(0.5), 1, gradient).items()
    by = 1e-3
    for name, row in slopes:
        for index, weight in enumerate(row):
            up, down = even(0.5), even(0.5)
            up[name] = [0.5 + by * (index == other) for other in range(3)]
            down[name] = [0.5 - by * (index == other) for other in range(3)]
            slope = loss(up) - loss(down)
            if abs(slope) > 1e-5:
                assert (weight < 0.5) == (slope > 0), (name, index)


def test_it_begins_at_the_first_model_or_where_it_ended_before() -> None:
    assert polish(MODELS, BASE, None, 0, gradient) == {name: [1.0, 0.0, 0.0] for name in BASE}
    found = polish(MODELS, BASE, None, 5, gradient)
    assert polish(MODELS, BASE, found, 0, gradient) == found
    assert polish(MODELS, BASE, None, 5, gradient) == found


def test_weights_are_rounded_as_recipes_have_them() -> None:
    for row in polish(MODELS, BASE, None, 3, gradient).values():
        assert row == [round(weight, 6) for weight in row]


def test_what_raises_ends_it() -> None:
    def broken(tensors: Mapping[str, Tensor], step: int) -> State:
        if step == 2:
            raise InterruptedError
        return gradient(tensors, step)

    with pytest.raises(InterruptedError):
        polish(MODELS, BASE, None, 5, broken)


def test_a_block_costs_what_fitness_makes_of_it() -> None:
    assert ponder_cost(FitnessWeights(likelihood=0.5, accuracy=0.5, compute=0.5, memory=0), 4) == 0.25
    assert ponder_cost(FitnessWeights(compute=0), 4) == 0
    assert ponder_cost(FitnessWeights(likelihood=0, accuracy=0, compute=1, memory=0), 4) == 0


def test_tensors_are_left_as_they_are() -> None:
    before = [{name: tensor.clone() for name, tensor in model.items()} for model in (BASE, *MODELS)]
    polish(MODELS, BASE, None, 3, gradient)
    for known, model in zip(before, (BASE, *MODELS), strict=True):
        assert all(torch.equal(known[name], model[name]) for name in known)
