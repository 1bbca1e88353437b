"""Specialists that train at once give what they give one after the other, also when they were stopped in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cognate.tiny import TINY
from memory_job import MemoryJob

from agent_forge.cognate import phase
from agent_forge.cognate.specialists import Specialist
from agent_forge.contract.cognate import CognateConfig
from agent_forge.contract.errors import Paused
from agent_forge.execution.in_process import InProcess

CONFIG = CognateConfig(foundation_steps=4, train_steps=6, batch_tokens=256, eval_problems=8, checkpoint_interval=2)


class Places(InProcess):
    """An executor that says it has room for several; how it then works on them is its own affair."""

    places = 3


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phase, "architecture", lambda config: TINY)


def results(job: MemoryJob) -> list[Any]:
    evaluations = [one.model_dump(exclude={"tokens_per_second", "elapsed_seconds"}) for one in job.evaluations.values()]
    return [{key: model.digest for key, (model, _) in job.models.items()}, evaluations]


@pytest.mark.parametrize("changes", [{}, {"initialization": "independent"}])
def test_at_once_as_one_after_the_other(tmp_path: Path, changes: dict[str, Any]) -> None:
    config = CognateConfig.model_validate(CONFIG.model_dump(exclude_unset=True) | changes)
    alone, together = MemoryJob(tmp_path / "a"), MemoryJob(tmp_path / "b")
    phase.run(config, alone)
    phase.run(config, together, executor=Places())
    assert results(together) == results(alone)
    assert together.last_progress is not None
    assert together.last_progress[:2] == (sum(one.total_steps for one in last_steps(alone)),) * 2


def last_steps(job: MemoryJob) -> list[Any]:
    return [one for one in job.steps if one.step == one.total_steps]


@pytest.mark.parametrize("first", [InProcess, Places])
@pytest.mark.parametrize("poll", [7, 12, 17])
def test_resumed_by_another_executor(tmp_path: Path, first: type[InProcess], poll: int) -> None:
    """In the middle of a stage, wherever it was trained before."""
    whole, job = MemoryJob(tmp_path / "a"), MemoryJob(tmp_path / "b")
    phase.run(CONFIG, whole)
    with job.stopped_at(poll, Paused):
        phase.run(CONFIG, job, executor=first())
    phase.run(CONFIG, job, executor=Places() if first is InProcess else InProcess())
    assert results(job) == results(whole)


def test_a_stage_goes_on_from_its_own_checkpoint(tmp_path: Path) -> None:
    job = MemoryJob(tmp_path)
    with job.stopped_at(10, Paused):
        phase.run(CONFIG, job, executor=Places())
    kept = [path.name for path in job.kept_files().glob("*/checkpoint.safetensors")]
    assert kept
    job.logs.clear()
    phase.run(CONFIG, job, executor=Places())
    assert any("resumed at step" in line for line in job.logs)
    # a stage that is done keeps its scores, and no checkpoint
    assert not list(job.kept_files().glob("*/checkpoint.safetensors"))
    assert len(list(job.kept_files().glob("*/scores.json"))) == 3
    assert Specialist("r", phase.stages(phase.resolve(CONFIG))[1], tmp_path / "none").finished() is None
