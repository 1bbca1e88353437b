from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent_forge.cognate.draws import Draws, seed_of


def test_a_stream_is_its_key() -> None:
    # Written down once: a change of the generator would change every data set and every trained model.
    draws = Draws("data", 42, "foundation", 0)
    assert [draws.below(1000) for _ in range(4)] == [73, 986, 943, 154]
    assert seed_of("initialization", 42, "embedding.weight") == 4426263774777323210


@given(st.lists(st.integers(0, 9), max_size=4), st.lists(st.integers(0, 9), max_size=4))
def test_keys_are_separated(a: list[int], b: list[int]) -> None:
    assert (a == b) == (seed_of(*a) == seed_of(*b)) or not (a and b)


@given(st.integers(0, 2**53), st.integers(1, 100))
def test_bounds(seed: int, bound: int) -> None:
    draws = Draws(seed)
    assert all(0 <= draws.below(bound) < bound for _ in range(50))
    assert 0 <= draws.unit() < 1


@given(st.integers(0, 2**53), st.lists(st.integers(), unique=True, min_size=1, max_size=20))
def test_samples_are_different_items(seed: int, items: list[int]) -> None:
    found = Draws(seed).sample(items, len(items))
    assert sorted(found) == sorted(items)
    Draws(seed).shuffle(found)
    assert sorted(found) == sorted(items)


def test_every_value_comes_up_equally_often() -> None:
    draws = Draws("uniform")
    counts = [0] * 7
    for _ in range(7000):
        counts[draws.below(7)] += 1
    assert max(counts) - min(counts) < 200
