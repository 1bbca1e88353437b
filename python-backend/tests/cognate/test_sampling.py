from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

from agent_forge.cognate.sampling import sample

LOGITS = torch.tensor([0.0, 2.0, 1.0, -1.0, 2.0, 0.5, -30.0])


def test_the_likeliest_token_is_taken_and_the_next_ones_are_told() -> None:
    found = sample(LOGITS, 0.0, 7, 3)
    assert found is not None
    assert found.token == 1
    weights = {token: math.exp(value) for token, value in enumerate(LOGITS.tolist())}
    whole = sum(weights.values())
    assert {token for token, _ in found.likeliest} == {0, 1, 2, 4, 5}
    assert [value for _, value in found.likeliest] == pytest.approx(
        sorted((value / whole for value in weights.values()), reverse=True)[:5]
    )
    assert found.probability == pytest.approx(weights[1] / whole)


@pytest.mark.parametrize("temperature", [0.25, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature: float) -> None:
    drawn = [found.token for step in range(2000) if (found := sample(LOGITS, temperature, 1, step)) is not None]
    expected = (LOGITS.double() / temperature).softmax(-1)
    counts = Counter(drawn)
    for token, probability in enumerate(expected.tolist()):
        assert counts[token] / 2000 == pytest.approx(probability, abs=0.04)


def test_a_draw_is_a_function_of_seed_and_step() -> None:
    def drawn(seed: int) -> list[int]:
        return [found.token for step in range(20) if (found := sample(LOGITS, 1.0, seed, step)) is not None]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_where_logits_are_not_finite_there_is_no_token(value: float) -> None:
    assert sample(torch.tensor([1.0, value]), 0.0, 0, 0) is None
