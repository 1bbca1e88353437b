"""What holds for every op, walked over the registry, and for kinds of ops."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import pytest
import torch
from evomerge.tiny import State
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from agent_forge.evomerge.errors import BadParameter, MergeRefused, NonFinite, ShapesDiffer, WrongInputs
from agent_forge.evomerge.layers import GROUPS
from agent_forge.evomerge.ops.registry import MergeOp, merge_ops

OPS = sorted(merge_ops())
ABOUT_BASE = [name for name in OPS if "base" in merge_ops()[name].needs]
ORDERED = {
    *("slerp", "nuslerp", "nearswap", "arcee_fusion", "align", "align_vocabulary", "frankenmerge", "mutate"),
    *("decouple", "cast", "scale", "lora"),
    *(name for name in OPS if "draw" in merge_ops()[name].needs),
}
"""Ops whose result depends on the inputs' order, by definition or since each has a stream of random numbers."""
SHAPES = {
    "embedding.weight": (5, 4),
    "transformer_blocks.0.linear1.weight": (3, 4),
    "transformer_blocks.1.linear1.weight": (3, 4),
    "act_halting.bias": (1,),
    "output_layer.bias": (7,),
}


def model(seed: int, dtype: torch.dtype = torch.float32) -> State:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in SHAPES.items()}


def apply(op: MergeOp, models: list[State], base: State | None = None, **settings: Any) -> dict[str, Tensor]:
    models = [models[0], {}] if op.adapts and models else models[: op.inputs.most]
    fisher = None
    if "fisher" in op.needs:
        fisher = [{name: tensor.float() ** 2 for name, tensor in one.items()} for one in models]
    return op(models, base=base if "base" in op.needs else None, fisher=fisher, grams=own_grams, seed=9, **settings)


def own_grams(index: int, one: Mapping[str, Tensor]) -> State:
    """As if each matrix read its own first rows. Sums over rows are in one order for any number of threads."""
    read = {name: tensor[:8].double() for name, tensor in one.items() if tensor.dim() == 2}
    return {name: (rows[:, :, None] * rows[:, None, :]).sum(0) for name, rows in read.items()}


def doubled(one: State) -> State:
    return {name: tensor.double() for name, tensor in one.items()}


def wide_of(one: State) -> State:
    return {name: tensor.float() for name, tensor in one.items()}


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", OPS)
class TestEveryOp:
    def test_is_documented(self, name: str) -> None:
        method = merge_ops()[name].describe()
        assert min(len(method.summary), len(method.edges), len(method.source)) > 20
        for field, schema in method.parameters["properties"].items():
            assert schema["description"], field
            assert "default" in schema or field == "weights"

    def test_keeps_names_shapes_and_dtype(self, name: str) -> None:
        for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
            if name == "cast" and dtype != torch.float32:
                continue
            merged = apply(merge_ops()[name], [model(seed, dtype) for seed in (1, 2, 3)], model(0, dtype))
            assert {key: (tuple(tensor.shape), tensor.dtype) for key, tensor in merged.items()} == {
                key: (shape, dtype) for key, shape in SHAPES.items()
            }

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_leaves_its_inputs_alone(self, name: str, dtype: torch.dtype) -> None:
        models, base = [model(seed, dtype) for seed in (1, 2, 3)], model(0, dtype)
        apply(merge_ops()[name], models, base)
        assert all(equal(one, model(seed, dtype)) for seed, one in zip((1, 2, 3), models, strict=True))
        assert equal(base, model(0, dtype))

    def test_same_bytes_each_time_and_thread_count(self, name: str) -> None:
        big = {"embedding.weight": torch.randn(700, 500, generator=torch.Generator().manual_seed(3))}
        models = [{"embedding.weight": big["embedding.weight"] * factor} for factor in (1.0, -0.7, 0.1)]
        one = apply(merge_ops()[name], models, big)
        torch.set_num_threads(2)
        assert equal(apply(merge_ops()[name], models, big), one)

    @pytest.mark.parametrize("poison", [float("nan"), float("inf"), float("-inf")])
    def test_refuses_what_is_not_finite(self, name: str, poison: float) -> None:
        op, bad = merge_ops()[name], model(1)
        bad["output_layer.bias"][3] = poison
        with pytest.raises(NonFinite, match=r"output_layer\.bias"):
            apply(op, [bad, model(2), model(3)], model(0))
        if "base" in op.needs:
            with pytest.raises(NonFinite, match="the base"):
                apply(op, [model(1), model(2), model(3)], bad)

    def test_refuses_other_shapes_names_and_types(self, name: str) -> None:
        op = merge_ops()[name]
        if op.inputs.most == 1 or op.adapts:
            return
        with pytest.raises(ShapesDiffer, match=r"output_layer\.bias"):
            apply(op, [model(1), model(2) | {"output_layer.bias": torch.zeros(8)}], model(0))
        with pytest.raises(ShapesDiffer, match="more"):
            apply(op, [model(1), model(2) | {"more": torch.zeros(1)}], model(0))

    @pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float16])
    def test_widens_what_is_narrower(self, name: str, narrow: torch.dtype) -> None:
        """As if all inputs had been given in the widest type; one tensor may be of another type than the next."""
        op = merge_ops()[name]
        mixed = [model(1), model(2, narrow), model(3, narrow) | {"embedding.weight": model(3)["embedding.weight"]}]
        wide = [{key: tensor.float() for key, tensor in one.items()} for one in mixed]
        if op.copies:
            assert equal(apply(op, mixed), mixed[0])
            return
        assert equal(apply(op, mixed, model(0, narrow)), apply(op, wide, wide_of(model(0, narrow))))

    @pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float16])
    def test_rounds_once(self, name: str, narrow: torch.dtype) -> None:
        """The result in 16 bits is that in float64, rounded; not rounded to float32 before."""
        op = merge_ops()[name]
        # swudi is made of what `decouple` gives, which is rounded
        if op.measures or name in ("cast", "swudi"):
            return
        models, base = [model(seed, narrow) for seed in (1, 2, 3)], model(0, narrow)
        double = apply(op, [doubled(one) for one in models], doubled(base))
        merged = apply(op, models, base)
        for key, tensor in merge_ops()["cast"]([double], dtype=str(narrow).removeprefix("torch.")).items():
            # order statistics of float64 inputs and of float32 ones are the same float32 numbers
            assert torch.equal(merged[key], tensor), key

    def test_settings_by_tensor(self, name: str) -> None:
        op = merge_ops()[name]
        fields = op.describe().parameters["properties"]
        changed = {
            key: (schema["minimum"] + schema["default"]) / 2
            for key, schema in fields.items()
            if schema.get("type") == "number" and "minimum" in schema
        }
        if op.whole:
            if fields:
                with pytest.raises(BadParameter, match="whole models"):
                    apply(op, [model(1), model(2), model(3)], model(0), by_tensor={"*": dict.fromkeys(fields, 0)})
            return
        models, base, there = [model(1), model(2), model(3)], model(0), "transformer_blocks.1.linear1.weight"
        plain, other = apply(op, models, base), apply(op, models, base, **changed)
        found = apply(op, models, base, by_tensor={there: changed})
        assert equal(found, plain | {there: other[there]})
        assert equal(apply(op, models, base, by_tensor={"*": changed}), other)
        assert equal(
            apply(op, models, base, by_tensor={"*": changed, there: {key: fields[key]["default"] for key in changed}}),
            other | {there: plain[there]},
        )
        with pytest.raises(BadParameter, match="temprature"):
            apply(op, models, base, by_tensor={"*": {"temprature": 1}})

    def test_settings_of_each_input(self, name: str) -> None:
        """A list of equal numbers is that number; a model of which nothing is kept is as good as absent from a sum."""
        op = merge_ops()[name]
        models, base = [model(1), model(2)], model(0)
        for key in op.per_input:
            plain = apply(op, models, base, **{key: 0.25})
            assert equal(apply(op, models, base, by_tensor={"*": {key: [0.25, 0.25]}}), plain)
            with pytest.raises(BadParameter, match="3 given for 2"):
                apply(op, models, base, by_tensor={"*": {key: [0.25] * 3}})
        nothing = {"density": 0.0, "drop_rate": 1.0}.keys() & op.per_input
        for key in nothing:
            none, some = (0.0, 0.5) if key == "density" else (1.0, 0.5)
            found = apply(op, models, base, by_tensor={"*": {key: [some, none]}})
            alone = apply(op, models[:1], base, **{key: some})
            for tensor in found:
                torch.testing.assert_close(found[tensor], alone[tensor], rtol=1e-6, atol=1e-6)

    def test_refuses_unknown_parameters_and_no_inputs(self, name: str) -> None:
        op = merge_ops()[name]
        with pytest.raises(BadParameter, match="temprature"):
            apply(op, [model(1), model(2)], model(0), temprature=1)
        with pytest.raises(WrongInputs):
            op([])

    def test_one_model_or_equal_ones_give_that_model(self, name: str) -> None:
        """Without noise, dropping or a base elsewhere, equal parents are a fixed point, to the bit."""
        op = merge_ops()[name]
        if name == "mutate":
            assert equal(apply(op, [model(1)], rate=0.0), model(1))
            return
        for count in (1, 3):
            if count >= op.inputs.least:
                same = [model(1)] * (count if op.inputs.most is None else min(count, op.inputs.most))
                assert equal(apply(op, same, model(1)), model(1)), count

    def test_order_of_inputs(self, name: str) -> None:
        if name in ORDERED:
            return
        first = None
        for order in permutations((1, 2, 3)):
            merged = apply(merge_ops()[name], [model(seed) for seed in order], model(0))
            first = first or merged
            for key, tensor in merged.items():
                torch.testing.assert_close(tensor, first[key], rtol=1e-6, atol=1e-6)

    def test_weights_per_layer_group(self, name: str) -> None:
        op = merge_ops()[name]
        if "weights" not in op.resolved or op.inputs.most is not None:
            return
        models, base = [model(seed) for seed in (1, 2)], model(0)
        rows = {group: [1.0 + index, 0.5] for index, group in enumerate(GROUPS)}
        merged = apply(op, models, base, weights=rows)
        for key, group in zip(SHAPES, ("embedding", "early", "middle", "heads", "output"), strict=True):
            alone = apply(op, models, base, weights=rows[group])
            assert torch.equal(merged[key], alone[key]), key
        one = apply(op, models, base, weights=rows | {"embedding.weight": [0.25, 2.0]})
        assert torch.equal(one["embedding.weight"], apply(op, models, base, weights=[0.25, 2.0])["embedding.weight"])
        assert all(torch.equal(one[key], merged[key]) for key in SHAPES if key != "embedding.weight")
        with pytest.raises(BadParameter, match="3 given for 2"):
            apply(op, models, base, weights=[1, 1, 1])


def test_slerp_is_linear_where_no_circle_is_defined() -> None:
    slerp = merge_ops()["slerp"]
    a = {"w": torch.tensor([1.0, 2.0])}
    for b in ({"w": torch.tensor([3.0, 6.0])}, {"w": torch.tensor([-1.0, -2.0])}, {"w": torch.zeros(2)}):
        torch.testing.assert_close(slerp([a, b])["w"], (a["w"] + b["w"]) / 2)


def test_fisher_of_0_falls_back_to_the_weights() -> None:
    nothing = [{"w": torch.zeros(2)}] * 2
    models = [{"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([5.0, 6.0])}]
    for name in ("fisher", "dfs"):
        merged = merge_ops()[name](models, fisher=nothing, weights=[3, 1])
        torch.testing.assert_close(merged["w"], torch.tensor([2.0, 3.0]))


@pytest.mark.parametrize("name", ["regmean", "regmean_plus_plus"])
def test_regression_mean(name: str) -> None:
    op, models = merge_ops()[name], [model(seed) for seed in (1, 2, 3)]
    mean = merge_ops()["linear"](models)
    matrices = [key for key, tensor in mean.items() if tensor.dim() == 2]

    def alike(index: int, one: Mapping[str, Tensor]) -> State:
        return {key: torch.eye(4, dtype=torch.float64) for key in matrices}

    def second_alone(index: int, one: Mapping[str, Tensor]) -> State:
        return {key: gram * (index == 1) for key, gram in own_grams(index, one).items()}

    def nothing(index: int, one: Mapping[str, Tensor]) -> State:
        return {key: torch.zeros(4, 4, dtype=torch.float64) for key in matrices}

    for key in mean:
        torch.testing.assert_close(op(models, grams=alike)[key], mean[key])
        assert torch.equal(op(models, grams=nothing)[key], mean[key])
        only = op(models, grams=second_alone, shrinkage=0.5)[key]
        torch.testing.assert_close(only, models[1][key] if key in matrices else mean[key], rtol=1e-4, atol=1e-4)
    for wrong in ([["a"]], [["a"], ["b"], []]):
        with pytest.raises(BadParameter, match="one list of names for each of 3"):
            op(models, grams=alike, datasets=wrong)
    with pytest.raises(WrongInputs, match="Gram"):
        op(models)


def test_blocks_read_what_the_merged_ones_below_make() -> None:
    asked: list[tuple[int, State]] = []

    def watched(index: int, one: Mapping[str, Tensor]) -> State:
        asked.append((index, dict(one)))
        return own_grams(index, one)

    models = [model(seed) for seed in (1, 2)]
    merged = merge_ops()["regmean_plus_plus"](models, grams=watched)
    assert [index for index, _ in asked] == [0, 1] * 4, "heads, two blocks, output layer"
    first, second = (f"transformer_blocks.{layer}.linear1.weight" for layer in (0, 1))
    assert [equal(dict(one), models[index]) for index, one in asked] == [True] * 2 + [False] * 6
    for index, at_second in asked[4:6]:
        assert torch.equal(at_second[first], merged[first])
        assert torch.equal(at_second[second], models[index][second])
        assert torch.equal(at_second["act_halting.bias"], merged["act_halting.bias"])


def test_ties_keeps_entries_that_tie_at_the_edge() -> None:
    base = {"w": torch.zeros(4)}
    merged = merge_ops()["ties"]([{"w": torch.tensor([2.0, -1.0, 1.0, 0.5])}], base=base, density=0.5)
    assert merged["w"].tolist() == [2.0, -1.0, 1.0, 0.0]


@pytest.mark.parametrize("name", ["slerp", "multislerp", "karcher"])
def test_a_weight_of_0_leaves_its_model_out(name: str) -> None:
    op, models = merge_ops()[name], [model(seed) for seed in (1, 2, 3, 4)]
    assert equal(apply(op, models, weights=[0, 0, 1, 0.5]), apply(op, models[2:], weights=[1, 0.5]))
    # where all the others are 0 there is no direction either
    nothing = {key: torch.zeros_like(tensor) for key, tensor in model(1).items()}
    assert equal(apply(op, [nothing, *models[:2]], weights=[1, 0, 0]), nothing)


def test_stack_changes_the_depth() -> None:
    models = [model(1), model(2)]
    merged = merge_ops()["frankenmerge"](models, stack=[(0, 0), (1, 0), (1, 1)], embedding_source=1)
    assert list(merged) == [
        "embedding.weight",
        *(f"transformer_blocks.{layer}.linear1.weight" for layer in range(3)),
        "act_halting.bias",
        "output_layer.bias",
    ]
    assert merged["transformer_blocks.1.linear1.weight"] is models[1]["transformer_blocks.0.linear1.weight"]
    for wrong in ({"stack": [(0, 2)]}, {"layer_sources": [0]}, {"layer_sources": [0, 2]}):
        with pytest.raises(BadParameter):
            merge_ops()["frankenmerge"](models, **wrong)


finite = st.floats(-100, 100, width=32)


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(finite, finite, finite), min_size=1, max_size=12),
    name=st.sampled_from([name for name in OPS if name != "mutate" and not merge_ops()[name].measures]),
    weights=st.lists(st.floats(0.1, 2), min_size=2, max_size=2),
)
def test_any_numbers(rows: list[tuple[float, float, float]], name: str, weights: list[float]) -> None:
    """Finite in, finite out or a named refusal; equal inputs stay equal."""
    base, a, b = ({"w": torch.tensor(column, dtype=torch.float32)} for column in zip(*rows, strict=True))
    op = merge_ops()[name]
    given_weights = {"weights": weights} if "weights" in op.resolved else {}
    try:
        merged = apply(op, [a, b], base, **given_weights)
    except MergeRefused:
        return
    assert torch.isfinite(merged["w"]).all()
    if name == "linear":
        low, high = torch.minimum(a["w"], b["w"]), torch.maximum(a["w"], b["w"])
        assert bool(((merged["w"] >= low) & (merged["w"] <= high)).all())
