from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_forge.worker.eta import Eta


def test_there_is_none_before_two_readings() -> None:
    assert Eta().update(0.0, 3, 10) is None


@pytest.mark.parametrize(
    ("readings", "want"),
    [
        ("steady", 5.0),
        ("one long pause", 5.0),
        ("two a reading", 2.5),
    ],
)
def test_the_median_rate(readings: str, want: float) -> None:
    eta = Eta()
    found = None
    for index in range(11):
        match readings:
            case "steady":
                found = eta.update(float(index), index, 15)
            case "one long pause":
                found = eta.update(index + (3600.0 if index > 5 else 0.0), index, 15)
            case "two a reading":
                found = eta.update(float(index), 2 * index, 25)
    assert found == pytest.approx(want)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 1000)), min_size=1))
def test_it_is_never_negative(readings: list[tuple[float, int]]) -> None:
    eta = Eta()
    clock = 0.0
    for seconds, done in readings:
        clock += seconds
        found = eta.update(clock, done, 1000)
        assert found is None or found >= 0
