from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_forge.evomerge.measure.racing import BLOCK, SIGNIFICANCE, ends, worse

DRAWS = np.random.default_rng(5)
RIVAL = DRAWS.uniform(0.4, 1.0, 192)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (RIVAL, False),
        (RIVAL + 0.1, False),
        (RIVAL - 0.1, True),
        (RIVAL[:48] - 0.1, True),
        # better in most, worse in few
        (np.where(np.arange(192) % 10 == 0, RIVAL - 0.2, RIVAL + 0.1), False),
        # what last bits of a sum may do
        (RIVAL - 1e-6, False),
        (RIVAL[:4] - 0.1, False),
    ],
)
def test_table(own: np.ndarray, expected: bool) -> None:
    assert worse(own, RIVAL) is expected


def test_of_equals_few_are_stopped() -> None:
    """The share that one look stops wrongly is near what it may be."""
    draws = np.random.default_rng(7)
    stopped = sum(worse(rival + draws.normal(0, 0.1, 96), rival) for rival in draws.uniform(0, 1, (2000, 96)))
    assert stopped / 2000 < 2 * SIGNIFICANCE


@given(st.integers(1, 1000))
def test_blocks_end_where_the_problems_end(problems: int) -> None:
    found = ends(problems)
    assert found[-1] == problems
    assert all(later - earlier <= BLOCK for earlier, later in zip([0, *found], found, strict=False))
    assert found == sorted(set(found))
