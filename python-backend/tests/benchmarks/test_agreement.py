"""How results are compared with mergekit's."""

from __future__ import annotations

import pytest
import torch

from benchmarks._agreement import definition
from benchmarks.agreement import Types, ranked


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_neighbours_are_one_apart(dtype: torch.dtype) -> None:
    tiny = torch.finfo(dtype).smallest_normal
    numbers = torch.tensor([-1.0, -tiny, -0.0, 0.0, tiny, 1.0], dtype=dtype)
    ranks = ranked(numbers)
    assert ranks[2] == ranks[3] == 0
    assert torch.equal(ranks, -ranks.flip(0))
    assert ranked(torch.tensor([1.0 + torch.finfo(dtype).eps], dtype=dtype)) - ranks[-1] == 1


def test_every_document_is_given_the_types() -> None:
    assert Types("bfloat16").written("a\n---\nb\n") == "a\n---\nb\n"
    types = "dtype: float64\nout_dtype: bfloat16\n"
    assert Types("bfloat16", "float64").written("a\n---\nb\n") == f"a\n{types}---\nb\n{types}"


def test_votes_without_a_winner_differ_by_definition() -> None:
    base = torch.zeros(4, dtype=torch.float64)
    models = [torch.tensor(entries, dtype=torch.float64) for entries in ([1, 2, 3, 4], [-1, 2, -2, 4])]
    tied = definition("ties", models, base, {"density": 1.0, "weights": [0.5, 0.5]})
    assert tied.tolist() == [True, False, False, False]
    assert not definition("linear", models, base, {"weights": [0.5, 0.5]}).any()
