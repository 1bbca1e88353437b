"""The split of SWUDI by model, on task vectors of low rank as training makes them."""

from __future__ import annotations

import numpy as np
import torch

from agent_forge.evomerge.ops.decoupling import _by_columns, _by_rows
from agent_forge.evomerge.ops.registry import merge_op_named

NAME = "transformer_blocks.0.linear1.weight"
State = dict[str, torch.Tensor]


def low_rank(seed: int, base: torch.Tensor) -> State:
    draws = torch.Generator().manual_seed(seed)
    rows, columns = base.shape
    vector = torch.randn(rows, 2, generator=draws) @ torch.randn(2, columns, generator=draws)
    return {NAME: base + 0.1 * vector}


BASE = torch.randn(12, 10, generator=torch.Generator().manual_seed(0))
MODELS = [low_rank(seed, BASE) for seed in (1, 2, 3)]


def decoupled(time: float) -> list[State]:
    op = merge_op_named("decouple")
    return [op(MODELS, base={NAME: BASE}, index=index, time=time) for index in range(3)]


def test_the_plain_sum_over_decoupled_models_is_swudi_to_the_byte() -> None:
    for time in (0.0, 1.0, 100.0):
        whole = merge_op_named("swudi")(MODELS, base={NAME: BASE}, time=time)
        summed = merge_op_named("task_arithmetic")(decoupled(time), base={NAME: BASE})
        assert torch.equal(whole[NAME], summed[NAME])


def interference(merged: torch.Tensor) -> float:
    """What WUDI minimises: Σ nᵢ‖(τ* − τᵢ)τᵢᵀ‖²."""
    total = 0.0
    for model in MODELS:
        tau = model[NAME] - BASE
        total += float((((merged - tau) @ tau.T) ** 2).sum() / (tau**2).sum())
    return total


def test_the_longer_the_time_the_less_the_models_interfere() -> None:
    swudi = merge_op_named("swudi")
    found = [interference(swudi(MODELS, base={NAME: BASE}, time=time)[NAME] - BASE) for time in (0, 1, 10, 100, 1000)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.01 * found[0]


def test_one_call_finds_the_parts_of_all_models() -> None:
    kept: dict[object, object] = {}
    asked = []

    def statistics(inputs: object, what: object, make: object) -> object:
        asked.append(what)
        return kept[what] if what in kept else kept.setdefault(what, make())  # type: ignore[operator]

    op = merge_op_named("decouple")
    parts = [op(MODELS, base={NAME: BASE}, index=index, statistics=lambda _: statistics) for index in range(3)]  # type: ignore[arg-type, return-value]
    assert len(kept) == 1
    assert len(asked) == 3
    for part, alone in zip(parts, decoupled(100.0), strict=True):
        assert torch.equal(part[NAME], alone[NAME])


def test_few_rows_and_few_columns_give_the_same() -> None:
    """Of a wide matrix the products are of rows, of a narrow one of columns."""
    wide = [low_rank(seed, torch.zeros(3, 40))[NAME].double().numpy() for seed in (1, 2, 3)]
    for one, other in zip(_by_rows(wide, 50.0), _by_columns(wide, 50.0), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
    nothing = [wide[0], np.zeros_like(wide[0])]
    for parts in (_by_rows, _by_columns):
        assert not list(parts(nothing, 50.0))[1].any()
