"""Drawn in parallel, ahead of registration: the same models as one by one."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from agent_forge.contract.architecture import Architecture
from agent_forge.contract.job import ModelDraft
from agent_forge.registry.creation import Draw, create
from agent_forge.registry.files import ModelFiles
from agent_forge.registry.store import store

from .conftest import TIME, TINY, draft


def fill(seed: int, name: str, out: Tensor) -> None:
    out.normal_(generator=torch.Generator().manual_seed(seed * 1000 + len(name) + sum(name.encode())))


def plans(seeds: range) -> list[tuple[ModelDraft, Architecture, Draw]]:
    return [(draft(f"m{seed}"), TINY, partial(fill, seed)) for seed in seeds]


def test_the_same_as_one_by_one(files: ModelFiles) -> None:
    register = partial(store, files=files, run_id="r", versions={}, time=TIME)
    together = list(create(plans(range(5)), scratch=files.scratch, register=register))
    assert [model.name for model in together] == [f"m{seed}" for seed in range(5)]
    assert len({model.digest for model in together}) == 5
    one_by_one = [
        model
        for seed in range(5)
        for model in create(plans(range(seed, seed + 1)), scratch=files.scratch, register=register)
    ]
    assert one_by_one == together
    assert list(files.scratch.iterdir()) == []
    assert files.orphans(together) == []


def test_a_drawing_that_fails_stops_it(files: ModelFiles) -> None:
    def fail(name: str, out: Tensor) -> None:
        raise RuntimeError(f"no weights for {name}")

    register = partial(store, files=files, run_id="r", versions={}, time=TIME)
    models = create([*plans(range(1)), (draft("x"), TINY, fail)], scratch=files.scratch, register=register)
    assert next(models).name == "m0"
    with pytest.raises(RuntimeError, match="no weights"):
        next(models)
    assert list(files.scratch.iterdir()) == []


def test_nothing_planned(files: ModelFiles) -> None:
    assert list(create([], scratch=files.scratch, register=partial(store, files=files))) == []  # type: ignore[call-arg]
