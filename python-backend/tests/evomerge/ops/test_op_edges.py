"""Every op at the ends of its parameters and with unusual inputs, as one table."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from evomerge.ops.test_op_properties import apply, equal, model
from evomerge.tiny import State

from agent_forge.evomerge.errors import BadParameter, NonFinite, UnsupportedDtype, WrongInputs
from agent_forge.evomerge.ops.registry import merge_ops

A, B, C, BASE = ({name: tensor / 10 for name, tensor in model(seed).items()} for seed in (1, 2, 3, 0))
MINUS_A = {name: -tensor for name, tensor in A.items()}
ZERO = {name: torch.zeros_like(tensor) for name, tensor in A.items()}
NOTHING_KEPT = {"density": 0, "drop_rate": 1, "selected": 0, "t": 0, "rate": 0}
ALL_KEPT = {"density": 1, "drop_rate": 0, "selected": 1, "epsilon": 0, "t": 1}
"""Of these an op takes those that it has."""

TABLE = """
op                one      equal    at base  opposite only 2nd weights 0 negative nothing all kept λ 0
align             refused  first    base     first    -        -        -        -        -        -
align_vocabulary  first    first    base     first    -        -        -        -        -        -
arcee_fusion      own      own      base     own      -        -        -        -        -        -
breadcrumbs       own      own      base     base     own      base     own      base     first    base
breadcrumbs_ties  own      own      base     base     own      base     own      base     first    base
cast              first    first    base     first    -        -        -        -        -        -
dare_linear       own      own      base     own      own      base     own      base     first    base
dare_ties         own      own      base     own      own      base     own      base     first    base
decouple          refused  own      base     own      -        -        -        -        -        -
della             own      own      base     own      own      base     own      base     first    base
della_linear      own      own      base     own      own      base     own      base     first    base
dfs               first    first    base     base     second   refused  refused  -        -        -
fisher            first    first    base     base     second   refused  refused  -        -        -
frankenmerge      first    first    base     first    -        -        -        -        -        -
karcher           first    first    base     first    second   refused  own      -        -        -
linear            first    first    base     base     second   refused  own      -        -        -
lora              first    first    base     first    -        -        -        -        -        -
model_stock       refused  first    base     base     -        -        -        -        -        -
multislerp        first    first    base     base     second   refused  own      -        -        -
mutate            own      own      own      own      -        -        -        first    -        -
nearswap          own      own      base     own      -        -        -        base     first    -
nuslerp           refused  first    base     base     second   refused  own      -        -        -
ram               first    first    base     base     -        -        -        -        first    base
ram_plus          first    first    base     base     -        -        -        -        first    base
regmean           first    first    base     base~    -        -        -        -        -        -
regmean_plus_plus first    first    base     base~    -        -        -        -        -        -
scale             first    first    base     first    -        -        -        -        -        -
sce               first    first    base     base     -        -        -        base     first    base
slerp             first    first    base     base     second   refused  own      -        -        -
swudi             refused  first~   base     base     -        -        -        -        -        base
task_arithmetic   first    own      base     base     second   base     own      -        -        base
ties              own      own      base     base     own      base     own      base     first    base
"""
"""
one       one model about another base
equal     three equal models about another base
at base   all models are the base
opposite  a model and its negative about 0
only 2nd  three models of which only the second has a weight
all kept  one model, nothing trimmed or dropped

Outcomes: base; first, second: that model; mean; own: something else; refused; -: the op has no such parameter.
With ~ up to rounding, which is the machine's, else to the bit.
"""
ROWS = {op: outcomes for op, *outcomes in map(str.split, TABLE.strip().splitlines()[1:])}


def outcome(op_name: str, models: list[State], base: State, **settings: Any) -> str:
    op = merge_ops()[op_name]
    chosen = models[: op.inputs.most]
    if "weights" in settings:
        settings["weights"] = settings["weights"][: len(chosen)]
    try:
        merged = apply(op, chosen, base, **settings)
    except (BadParameter, WrongInputs):
        return "refused"
    assert all(bool(torch.isfinite(tensor).all()) for tensor in merged.values())
    mean = {name: torch.stack([one[name] for one in chosen]).mean(0) for name in base}
    candidates = {"base": base, "first": chosen[0], **({"second": chosen[1]} if len(chosen) > 1 else {}), "mean": mean}
    for name, candidate in candidates.items():
        if equal(merged, candidate):
            return name
    for name, candidate in candidates.items():
        if all(torch.allclose(merged[key], candidate[key], rtol=1e-6, atol=1e-6) for key in base):
            return f"{name}~"
    return "own"


def found(op: str) -> list[str]:
    has = merge_ops()[op].settings.model_fields
    row = [
        outcome(op, [A], BASE),
        outcome(op, [A, A, A], BASE),
        outcome(op, [BASE, BASE, BASE], BASE),
        outcome(op, [A, MINUS_A], ZERO),
    ]
    for models, settings in [
        *(([A, B, C], {"weights": weights}) for weights in ([0, 1, 0], [0, 0, 0], [1, -0.5, 1])),
        ([A, B, C], NOTHING_KEPT),
        ([A], ALL_KEPT),
        ([A, B, C], {"scale": 0}),
    ]:
        chosen = {name: value for name, value in settings.items() if name in has}
        row.append(outcome(op, models, BASE, **chosen) if chosen else "-")
    return row


@pytest.mark.parametrize("op", merge_ops())
def test_table(op: str) -> None:
    known = [expected in (own, f"{own}~") for own, expected in zip(found(op), ROWS[op], strict=True)]
    assert all(known), found(op)


@pytest.mark.parametrize("op", merge_ops())
@pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0), (), (1,), (1, 5), (5, 1), (2, 3, 4), (2, 1, 3, 4)], ids=str)
def test_any_shape(op: str, shape: tuple[int, ...]) -> None:
    models = [{"x": torch.randn(shape, generator=torch.Generator().manual_seed(seed))} for seed in range(4)]
    merged = apply(merge_ops()[op], models[1:], models[0])
    assert merged["x"].shape == shape
    assert bool(torch.isfinite(merged["x"]).all())


@pytest.mark.parametrize("op", merge_ops())
@pytest.mark.parametrize(
    "dtype", [torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2], ids=str
)
def test_types_that_do_not_merge(op: str, dtype: torch.dtype) -> None:
    whole = [{name: torch.ones_like(tensor).to(dtype) for name, tensor in A.items()}] * 3
    count = merge_ops()[op].inputs.most
    with pytest.raises(UnsupportedDtype, match="mergeable types are float16, bfloat16, float32, float64"):
        merge_ops()[op](whole[:count], fisher=whole[:count])


WEIGHTED = [name for name, op in merge_ops().items() if "weights" in op.resolved]


@pytest.mark.parametrize("op", WEIGHTED)
@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 1000.1, -1000.1])
def test_weights_out_of_range(op: str, weight: float) -> None:
    for weights in ([1, weight], {"early": [1, weight]}):
        with pytest.raises(BadParameter, match="weights"):
            apply(merge_ops()[op], [A, B], BASE, weights=weights)


@pytest.mark.parametrize("op", WEIGHTED)
@pytest.mark.parametrize("weights", [[1000, 1000], [-1000, 1], [1e-12, 1], [1, -1]], ids=str)
def test_weights_at_the_ends_of_their_range(op: str, weights: list[float]) -> None:
    try:
        merged = apply(merge_ops()[op], [A, B], BASE, weights=weights)
    except BadParameter:
        assert min(weights) < 0, "only a negative weight can be without meaning"
        return
    assert all(bool(torch.isfinite(tensor).all()) for tensor in merged.values())


@pytest.mark.parametrize("op", ["dare_linear", "dare_ties"])
def test_a_drop_rate_that_rounds_to_1_gives_the_base(op: str) -> None:
    assert equal(apply(merge_ops()[op], [A, B], BASE, drop_rate=1 - 2**-18), BASE)
    assert not equal(apply(merge_ops()[op], [A, B], BASE, drop_rate=2**-18), BASE)


def test_a_negative_weight_votes_against_its_own_task_vector() -> None:
    merged = apply(merge_ops()["ties"], [A], BASE, weights=[-2], density=1)
    for name, tensor in merged.items():
        torch.testing.assert_close(tensor, 2 * BASE[name] - A[name])


@pytest.mark.parametrize("op", ["task_arithmetic", "linear"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_result_beyond_its_type_is_refused(op: str, dtype: torch.dtype) -> None:
    models = [{"w": sign * torch.tensor([torch.finfo(dtype).max], dtype=dtype)} for sign in (1, -1)]
    with pytest.raises(NonFinite, match="`w`: the result overflows"):
        apply(merge_ops()[op], models, {"w": torch.zeros(1, dtype=dtype)}, weights=[2, -1])
