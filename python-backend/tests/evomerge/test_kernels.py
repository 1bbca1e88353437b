"""Order statistics, random streams and recycled memory, on tensors of many chunks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_forge.evomerge.ops import recycled
from agent_forge.evomerge.ops.chunks import CHUNK, by_chunks, inner_products
from agent_forge.evomerge.ops.draw import Draw
from agent_forge.evomerge.ops.trim import kth_largest, trim

COUNT = 5 * CHUNK + 17


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
def test_trimming_ranks_in_float32(least: float, nudge: float) -> None:
    """Float64 entries around the floor stay exactly where they round to it or above."""
    value = least * (1 + nudge * 2**-24)
    delta = torch.tensor([value, -value], dtype=torch.float64)
    kept = bool(np.float32(value) >= np.float32(least))
    trim([delta], [least])
    assert delta.tolist() == ([value, -value] if kept else [0, 0])


def test_streams_are_addressed_by_position() -> None:
    stream = Draw(1, "op", "tensor").stream(0)
    whole = stream.levels(0, COUNT)
    for position, count in ((0, 5), (3, 40), (CHUNK - 1, 2), (16 * 77 + 5, 1000)):
        assert (stream.levels(position, count) == whole[position : position + count]).all()
    assert (stream.chosen(2, CHUNK, 0.25) == (whole[2 * CHUNK : 3 * CHUNK] < 2**14)).all()
    assert not stream.chosen(0, 100, 0).any()
    assert stream.chosen(0, 100, 1).all()
    assert (stream.levels(0, 64) != Draw(2, "op", "tensor").stream(0).levels(0, 64)).any()


def test_streams_are_uniform_and_their_normals_normal() -> None:
    stream = Draw(1, "op", "tensor").stream("noise")
    counts = np.bincount(stream.levels(0, 1 << 18) >> 8, minlength=256)
    assert abs((counts - 1024) / 32).max() < 5
    normals = np.concatenate([stream.normals(chunk, CHUNK) for chunk in range(8)])
    assert abs(normals.mean()) < 0.01
    assert abs(normals.std() - 1) < 0.01


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_no_byte(threads: int) -> None:
    torch.set_num_threads(threads)
    a, b = drawn(1, 40 * CHUNK + 1), drawn(2, 40 * CHUNK + 1)
    merged = by_chunks(lambda parts: parts[0].mul_(0.3).add_(parts[1]), [a, b])
    assert torch.equal(merged, (a.double() * 0.3 + b.double()).float())
    expected = [[float(np.dot(x.double().numpy(), y.double().numpy())) for y in (a, b)] for x in (a, b)]
    np.testing.assert_allclose(inner_products([a, b]), expected, rtol=1e-12, atol=1e-7)


def test_a_failing_chunk_fails_the_merge() -> None:
    torch.set_num_threads(2)

    def refuse(parts: list[torch.Tensor]) -> torch.Tensor:
        raise ArithmeticError("no")

    with pytest.raises(ArithmeticError):
        by_chunks(refuse, [drawn(1, 40 * CHUNK)])


def test_memory_comes_back_only_when_nobody_holds_it() -> None:
    shape = torch.Size((1 << 19,))
    first = recycled.empty(shape, torch.float32)
    place, part = first.data_ptr(), first[7:9]
    del first
    other = recycled.empty(shape, torch.float32)
    assert other.data_ptr() != place, "a view still holds the first"
    del part
    again = recycled.empty(shape, torch.float32)
    assert again.data_ptr() == place
