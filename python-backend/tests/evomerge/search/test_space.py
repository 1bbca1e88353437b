from __future__ import annotations

import numpy as np
import pytest
import torch
from evomerge.recorded import FRAME, PARENTS

from agent_forge.contract.recipe import Leaf
from agent_forge.evomerge.errors import BadParameter, UnknownOp
from agent_forge.evomerge.layers import GROUPS
from agent_forge.evomerge.merge_methods import weighing
from agent_forge.evomerge.ops.registry import merge_op_named
from agent_forge.evomerge.recipe.basis import origin
from agent_forge.evomerge.recipe.materialise import materialise
from agent_forge.evomerge.search.space import DENSITY, SCALE, WEIGHTS, Space, chosen_ops

COORDINATES = 3 * len(GROUPS) + 2
MODELS = {
    name: {"embedding.weight": torch.arange(12.0).reshape(3, 4) ** index / 10 ** index}
    for index, name in enumerate(("f", *PARENTS))
}  # fmt: skip


def space(*ops: str, seed: int = 0) -> Space:
    return Space(FRAME, ops or chosen_ops([], 3), seed)


def made(ours: Space, point: list[float]) -> torch.Tensor:
    recipe = ours.recipe(np.array(point))
    return materialise(recipe, lambda leaf: MODELS[leaf.model_id])["embedding.weight"]


def test_a_point_in_its_recipe() -> None:
    weights = [round(0.05 * index, 2) for index in range(18)]
    recipe = space("ties").recipe(np.array([*weights, 0.25, 1.5]))
    assert (recipe.op, recipe.inputs, recipe.base) == ("ties", FRAME.parents, FRAME.origin)
    assert recipe.parameters == {
        "weights": {group: weights[3 * row : 3 * row + 3] for row, group in enumerate(GROUPS)},
        "density": 0.25,
        "scale": 1.5,
        "normalize": True,
    }


def test_every_parameter_of_every_op_is_filled_in() -> None:
    for op in weighing(3, 3):
        recipe = space(op).recipe(space(op).first_points(1, 0)[0])
        assert merge_op_named(op).parameters(recipe.parameters) == recipe.parameters


def test_the_first_points_hold_the_plain_merges() -> None:
    ours = space()
    points = ours.first_points(8, 1)
    models = [MODELS[name]["embedding.weight"].double() for name in PARENTS]
    origin = MODELS["f"]["embedding.weight"].double()
    best, average, sums = made(ours, list(points[0])), made(ours, list(points[2])), made(ours, list(points[3]))
    torch.testing.assert_close(best.double(), models[1])
    torch.testing.assert_close(average.double(), sum(models) / 3, rtol=0, atol=1e-5)  # type: ignore[arg-type]
    torch.testing.assert_close(sums.double(), origin + sum(model - origin for model in models))
    assert len({tuple(point) for point in points}) == 8
    np.testing.assert_array_equal(points, ours.first_points(8, 1))
    assert (points[4:] != space(seed=1).first_points(8, 1)[4:]).all()


@pytest.mark.parametrize("count", [2, 3, 64])
@pytest.mark.parametrize("ops", [("ties",), ("linear", "ties", "breadcrumbs")])
def test_first_points_lie_within_the_limits(count: int, ops: tuple[str, ...]) -> None:
    ours = space(*ops)
    low, high = ours.limits
    points = ours.first_points(count, 0)
    assert points.shape == (count, COORDINATES + (len(ops) > 1))
    assert (points >= low).all()
    assert (points <= high).all()
    np.testing.assert_array_equal(points, points.round(6))
    if count == 64:
        assert {ours.op(point) for point in points} == set(ops)


@pytest.mark.parametrize(
    ("gene", "op"), [(0.0, "linear"), (0.33, "linear"), (0.34, "ties"), (0.99, "breadcrumbs"), (1.0, "breadcrumbs")]
)
def test_the_gene_of_the_op(gene: float, op: str) -> None:
    assert space("linear", "ties", "breadcrumbs").op(np.array([0.0, gene])) == op


def test_points_are_brought_within_the_limits() -> None:
    asked = np.full((1, COORDINATES), 1e9)
    asked[0, :3] = [-1, 0.12345678, 2]
    rounded = space().rounded(asked)
    assert list(rounded[0, :3]) == [WEIGHTS[0], 0.123457, WEIGHTS[1]]
    assert list(rounded[0, -2:]) == [DENSITY[1], SCALE[1]]


@pytest.mark.parametrize(("op", "weight"), [("linear", 1.0), ("fisher", 1.0), ("breadcrumbs", 0.0), ("ties", 0.0)])
def test_a_mean_without_weights_is_the_plain_one(op: str, weight: float) -> None:
    recipe = space(op).recipe(np.array([0.0] * 18 + [0.5, 1.0]))
    assert recipe.parameters["weights"] == {group: [weight] * 3 for group in GROUPS}


def test_masks_stay_the_same_over_a_run() -> None:
    first, second = (space("dare_linear").recipe(point) for point in space("dare_linear").first_points(2, 0))
    assert first.seed == second.seed != space("dare_linear", seed=1).recipe(space().first_points(1, 0)[0]).seed


def test_ops_that_may_be_chosen() -> None:
    assert {"linear", "ties", "fisher", "breadcrumbs"} <= set(weighing(3, 3))
    assert not {"mutate", "frankenmerge", "model_stock", "nuslerp"} & set(weighing(3, 3))
    assert "nuslerp" in weighing(2, 2)
    assert chosen_ops([], 3) == ("breadcrumbs",)
    assert chosen_ops(["ties", "frankenmerge", "linear"], 3) == ("linear", "ties")
    with pytest.raises(UnknownOp, match="tyes"):
        chosen_ops(["tyes"], 3)
    with pytest.raises(BadParameter, match="none of nuslerp weights 3 parents"):
        chosen_ops(["nuslerp"], 3)


def test_without_a_foundation_the_base_is_the_mean() -> None:
    ours = Space(FRAME.model_copy(update={"origin": origin(FRAME.parents, None)}), ("ties",), 0)
    base = ours.recipe(ours.first_points(1, 0)[0]).base
    assert base is not None
    assert not isinstance(base, Leaf)
    assert (base.op, base.inputs) == ("linear", FRAME.parents)
