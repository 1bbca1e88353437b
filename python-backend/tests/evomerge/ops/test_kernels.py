"""Order statistics, random streams and recycled memory, on tensors of many chunks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from evomerge.ops.plain_philox import philox4x32
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_forge.evomerge.ops import buffer_pool
from agent_forge.evomerge.ops.chunks import CHUNK, made
from agent_forge.evomerge.ops.combination import combined, deviation, inner_products
from agent_forge.evomerge.ops.draw import Draw
from agent_forge.evomerge.ops.philox import COUNTERS, GROUP, fill_first, fill_group
from agent_forge.evomerge.ops.prune import ranks
from agent_forge.evomerge.ops.registry import merge_op_named
from agent_forge.evomerge.ops.taskvectors import Outcome, banded
from agent_forge.evomerge.ops.trim import kth_largest

COUNT = 5 * CHUNK + 17
FIRST: dict[str, object] = {}
"""What the first number of threads gave."""


def drawn(seed: int, count: int = COUNT) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "model",
    [drawn(1), drawn(1).round(), drawn(1) * (drawn(2) > 2), torch.zeros(COUNT), drawn(1).sort().values],
    ids=["continuous", "many ties", "sparse", "constant", "sorted"],
)
def test_order_statistics_are_exact(model: torch.Tensor) -> None:
    base = torch.zeros(COUNT)
    ordered = model.abs().sort(descending=True).values
    for k in (1, 2, 1000, COUNT // 2, int(0.99 * COUNT), COUNT):
        assert kth_largest(model, base, k) == ordered[k - 1]


@settings(max_examples=200)
@given(least=st.floats(2**-100, 2**100, width=32), nudge=st.floats(-3, 3))
def test_bands_are_of_float32_magnitudes(least: float, nudge: float) -> None:
    """Float64 entries around an edge stay exactly where they round to it or above."""
    value = least * (1 + nudge * 2**-24)
    model, base = torch.tensor([value, -value], dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    kept = bool(np.float32(value) >= np.float32(least))
    assert banded([model], base, [(least, math.inf)], Outcome([1], 1)).tolist() == (model.tolist() if kept else [0, 0])
    assert banded([model], base, [(0.0, least)], Outcome([1], 1)).tolist() == ([0, 0] if kept else model.tolist())


def test_words_are_those_of_the_published_vector() -> None:
    """kat_vectors of Random123 1.14: philox4x32, 10 rounds, counter and key 0."""
    key, drawn = np.zeros(2, np.uint32), np.empty(GROUP, np.uint32)
    fill_group(drawn, key, 0)
    assert drawn[::COUNTERS].tolist() == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@pytest.mark.parametrize("number", [0, 1, 7, 1 << 26, 1 << 40])
def test_words_are_those_of_the_definition(number: int) -> None:
    key, drawn = Draw(1, "op", "tensor").stream(0), np.empty(GROUP, np.uint32)
    fill_group(drawn, key, number)
    counters = [number * COUNTERS + i for i in range(COUNTERS)]
    expected = [philox4x32((int(key[0]), int(key[1])), counter) for counter in counters]
    assert drawn.reshape(4, COUNTERS).T.tolist() == expected
    first = np.empty(3, np.uint32)
    fill_first(first, key, np.array(counters[5:8]))
    assert first.tolist() == [words[0] for words in expected[5:8]]
    assert (Draw(2, "op", "tensor").stream(0) != key).any()


def test_noise_is_normal_and_as_frequent_as_asked_for() -> None:
    model = torch.zeros(COUNT)
    model[::2] = 2
    changed = merge_op_named("mutate")([{"w": model}], rate=0.25, sigma=0.1, seed=3)["w"] - model
    moved = changed[changed != 0]
    assert len(moved) / COUNT == pytest.approx(0.25, abs=0.005)
    assert float(moved.mean()) == pytest.approx(0, abs=0.001)
    assert float(moved.std()) == pytest.approx(0.1, abs=0.001)


def test_ranks_are_those_of_a_stable_sort() -> None:
    model, base = drawn(1, 300 * 700).reshape(300, 700).round(decimals=2), torch.zeros(300, 700)
    order = model.abs().sort(dim=1, stable=True).indices
    want = torch.empty_like(order).scatter_(1, order, torch.arange(700).expand(300, 700))
    assert torch.equal(torch.from_numpy(ranks(model, base).astype(np.int64)).view(300, 700), want)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_no_byte(threads: int) -> None:
    torch.set_num_threads(threads)
    a, b = drawn(1), drawn(2)
    assert torch.equal(combined([a, b], [0.3, 1]), (a.double() * 0.3 + b.double()).float())
    expected = [[float(np.dot(x.double().numpy(), y.double().numpy())) for y in (a, b)] for x in (a, b)]
    np.testing.assert_allclose(inner_products([a, b]), expected, rtol=1e-12, atol=1e-7)
    assert inner_products([a, b]) == FIRST.setdefault("products", inner_products([a, b]))
    assert deviation(a) == FIRST.setdefault("deviation", deviation(a))
    assert deviation(a) == pytest.approx(float(a.double().std(correction=0)), rel=1e-12)


@pytest.mark.parametrize("value", [0.1, -3e30, 0.0])
def test_a_constant_has_no_deviation(value: float) -> None:
    assert deviation(torch.full((COUNT,), value)) == 0


def test_kernels_take_many_inputs() -> None:
    models = [drawn(seed, 1000) for seed in range(11)]
    want = sum(model.double() * weight for weight, model in enumerate(models))
    assert torch.equal(combined(models, range(11)), want.float())


def test_a_failing_chunk_fails_the_merge() -> None:
    torch.set_num_threads(2)

    def refuse(out: object, start: int, stop: int) -> None:
        raise ArithmeticError("no")

    with pytest.raises(ArithmeticError):
        made(drawn(1), refuse)


def test_memory_comes_back_only_when_nobody_holds_it() -> None:
    shape = torch.Size((1 << 19,))
    first = buffer_pool.empty(shape, torch.float32)
    place, part = first.data_ptr(), first[7:9]
    del first
    other = buffer_pool.empty(shape, torch.float32)
    assert other.data_ptr() != place, "a view still holds the first"
    del part
    again = buffer_pool.empty(shape, torch.float32)
    assert again.data_ptr() == place
