from __future__ import annotations

import pytest
import torch

from agent_forge.cognate import attention


def _random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).float()


def _reference(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, window: int) -> torch.Tensor:
    out = torch.zeros_like(v)
    for i in range(q.shape[2]):
        near = slice(max(0, i - window + 1), i + 1)
        scores = (q[:, :, i : i + 1] @ k[:, :, near].transpose(-1, -2)) / q.shape[-1] ** 0.5
        out[:, :, i : i + 1] = scores.softmax(-1) @ v[:, :, near]
    return out


def _memory_reference(fq: torch.Tensor, fk: torch.Tensor, v: torch.Tensor, window: int) -> torch.Tensor:
    out = torch.zeros_like(v)
    for i in range(window, v.shape[2]):
        older = slice(0, i - window + 1)
        scores = fq[:, :, i : i + 1] @ fk[:, :, older].transpose(-1, -2)
        out[:, :, i : i + 1] = scores @ v[:, :, older] / (scores.sum(-1, keepdim=True) + 1e-4)
    return out


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 31, 32, 33, 40, 61, 64])
def test_both_readers_equal_a_loop_over_tokens(length: int) -> None:
    q, k, v = (_random(2, 2, length, 8, seed=s) for s in (1, 2, 3))
    torch.testing.assert_close(attention.window_attention(q, k, v, 8), _reference(q, k, v, 8), rtol=1e-4, atol=1e-5)
    fq, fk = attention.features(q), attention.features(k)
    expected = _memory_reference(fq, fk, v, 8)
    torch.testing.assert_close(attention.memory_read(q, k, v, 8), expected, rtol=1e-4, atol=1e-5)


def test_every_key_is_read_by_exactly_one_reader() -> None:
    length, window = 20, 8
    ones = torch.ones(1, 1, length, 4)
    for j in range(length):
        v = torch.zeros(1, 1, length, 4)
        v[:, :, j] = 1.0
        near = attention.window_attention(ones, ones, v, window)[0, 0, :, 0] > 0
        older = attention.memory_read(ones, ones, v, window)[0, 0, :, 0] > 0
        i = torch.arange(length)
        assert torch.equal(near, (i >= j) & (i - j < window))
        assert torch.equal(older, i - j >= window)


def test_scores_with_half_predecessors_depend_on_distance_alone() -> None:
    d = 16
    q, k = _random(1, 1, d, seed=1), _random(6, 1, d, seed=2)

    def scores(offset: int) -> torch.Tensor:
        half = d // 2
        frequency = 10_000.0 ** (-torch.arange(half) / half)
        angle = (torch.arange(6)[:, None] + offset) * frequency
        cos, sin = angle.cos()[:, None], angle.sin()[:, None]
        keys = attention.half_predecessors(k, attention.predecessors(k, torch.arange(6)))
        return (attention.rotate(q, cos[5:], sin[5:]) * attention.rotate(keys, cos, sin)).sum(-1)

    torch.testing.assert_close(scores(0), scores(100), rtol=1e-3, atol=1e-4)


def test_predecessors_stop_at_the_start_of_a_problem() -> None:
    x = torch.arange(1.0, 6.0)[:, None]
    positions = torch.tensor([0, 1, 2, 0, 1])
    assert attention.predecessors(x, positions).squeeze(1).tolist() == [0, 1, 2, 0, 4]
