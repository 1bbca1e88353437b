from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from agent_forge.cognate.halting import EPSILON, Halting

probabilities = st.lists(
    st.lists(st.floats(0.0009765625, 0.9990234375, width=32), min_size=4, max_size=4), min_size=1, max_size=6
)


def _graves(p: list[float], states: torch.Tensor) -> tuple[int, float, torch.Tensor]:
    """Equations 5 to 10 for one token: N, R and the weighted mean of the states."""
    spent = torch.tensor(0.0)
    mean = torch.zeros_like(states[0])
    for n, probability in enumerate(p, start=1):
        if n == len(p) or bool(spent + probability >= 1 - EPSILON):
            remainder = 1 - spent
            return n, float(remainder), mean + remainder * states[n - 1]
        mean = mean + probability * states[n - 1]
        spent = spent + torch.tensor(probability)
    raise AssertionError


@given(probabilities)
def test_equals_the_paper_token_by_token(table: list[list[float]]) -> None:
    tokens, blocks = len(table), len(table[0])
    states = torch.randn(blocks, tokens, 3, generator=torch.Generator().manual_seed(0))
    halting = Halting.start(torch.ones(tokens, dtype=torch.bool), 3)
    for n in range(blocks):
        halting.advance(torch.tensor([row[n] for row in table]), states[n], n == blocks - 1)
    for token, row in enumerate(table):
        depth, remainder, mean = _graves(row, states[:, token])
        assert int(halting.depth[token]) == depth
        torch.testing.assert_close(float(halting.ponder()[token]), depth + remainder, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(halting.mean_state[token], mean, rtol=1e-4, atol=1e-5)
    assert not halting.active.any()
    torch.testing.assert_close(halting.spent, torch.ones(tokens))


def test_ponder_has_the_gradient_of_the_remainder() -> None:
    p = torch.tensor([0.2], requires_grad=True)
    halting = Halting.start(torch.ones(1, dtype=torch.bool), 1)
    halting.advance(p, torch.zeros(1, 1), False)
    halting.advance(torch.tensor([0.3]), torch.zeros(1, 1), True)
    halting.ponder().sum().backward()
    assert p.grad is not None
    assert p.grad.tolist() == [-1.0]


def test_padding_never_is_active() -> None:
    halting = Halting.start(torch.tensor([True, False]), 1)
    halting.advance(torch.tensor([0.4, 0.4]), torch.ones(2, 1), True)
    assert halting.depth.tolist() == [1, 0]
    assert halting.ponder().tolist()[1] == 0
