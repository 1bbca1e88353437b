from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from agent_forge.evomerge.ops.exact_product import product

SHAPES = [(3, 5, 2), (64, 64, 64), (7, 1000, 3), (1, 1, 1), (130, 257, 66)]


@pytest.mark.parametrize(("n", "k", "m"), SHAPES)
def test_as_close_as_promised(n: int, k: int, m: int) -> None:
    draws = np.random.default_rng(n * k * m)
    a, b = draws.standard_normal((n, k)), draws.standard_normal((k, m)) * 10.0 ** draws.integers(-9, 9, m)
    bound = np.abs(a).max(1, keepdims=True) * np.abs(b).max(0, keepdims=True) * k * 2.0**-40
    assert (np.abs(product(a, b) - a @ b) <= bound).all()


@settings(max_examples=40)
@given(
    a=arrays.arrays(np.float64, (4, 6), elements=st.floats(-1e6, 1e6)),
    b=arrays.arrays(np.float64, (6, 3), elements=st.floats(-1e6, 1e6)),
    order=st.permutations(range(6)),
)
def test_no_order_of_summation_changes_a_byte(a: np.ndarray, b: np.ndarray, order: list[int]) -> None:
    assert product(a, b).tobytes() == product(a[:, order], b[order]).tobytes()


def test_threads_change_no_byte() -> None:
    draws = np.random.default_rng(1)
    a, b = draws.standard_normal((300, 400)), draws.standard_normal((400, 200))
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(product(a, b).tobytes())
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1]


def test_whole_numbers_are_exact_and_nothing_gives_nothing() -> None:
    a = np.arange(12.0).reshape(3, 4)
    assert (product(a, a.T) == a @ a.T).all()
    assert (product(np.zeros((2, 3)), np.ones((3, 2))) == 0).all()
