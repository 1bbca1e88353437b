"""A `Job` in memory: what a phase did, for tests. Checkpoints and models are copied, as writing them would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from safetensors.torch import load_file
from torch import Tensor

from agent_forge.contract.base import now
from agent_forge.contract.cognate import TrainingEvaluation, TrainingStep
from agent_forge.contract.errors import Paused
from agent_forge.contract.evomerge import Candidate, Generation
from agent_forge.contract.job import ModelDraft
from agent_forge.contract.model import Model
from agent_forge.registry.tensors import digest_tensors


@dataclass
class MemoryJob:
    """`on_poll` is called with the number of the poll, from 1: raise there what the run shall meet."""

    directory: Path
    run_id: str = "run_01TEST"
    created_at: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    on_poll: Callable[[int], None] = lambda count: None
    polls: int = 0
    logs: list[str] = field(default_factory=list)
    steps: list[TrainingStep] = field(default_factory=list)
    evaluations: dict[tuple[str, int], TrainingEvaluation] = field(default_factory=dict)
    found: dict[str, Candidate] = field(default_factory=dict)
    generations: dict[int, Generation] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    models: dict[str, tuple[Model, dict[str, Tensor]]] = field(default_factory=dict)
    reported: dict[str, Any] = field(default_factory=dict)
    checkpoint: tuple[dict[str, Tensor], dict[str, Any]] | None = None
    checkpoints: int = 0
    last_progress: tuple[int, int, str, str] | None = None

    def scratch(self) -> Path:
        self.directory.mkdir(parents=True, exist_ok=True)
        return self.directory

    def poll(self) -> None:
        self.polls += 1
        self.on_poll(self.polls)

    @contextmanager
    def stopped_at(self, poll: int, signal: type[Exception] = Paused) -> Iterator[None]:
        """What runs in here must meet the signal at the poll of this number, and end by it."""

        def stop(count: int) -> None:
            if count == poll:
                raise signal

        self.on_poll = stop
        with pytest.raises(signal):
            yield

    def log(self, message: str, level: Literal["info", "warning", "error"] = "info") -> None:
        self.logs.append(message)

    def progress(self, done: int, total: int, unit: Literal["steps", "candidates"], stage: str) -> None:
        self.last_progress = (done, total, unit, stage)

    def step(self, step: TrainingStep) -> None:
        self.steps.append(step)

    def evaluated(self, evaluation: TrainingEvaluation) -> None:
        self.evaluations.setdefault((evaluation.stage, evaluation.step), evaluation)

    def candidate(self, candidate: Candidate) -> None:
        self.found.setdefault(candidate.id, candidate)

    def generation(self, generation: Generation) -> None:
        self.generations.setdefault(generation.index, generation)

    def timing(self, part: str, seconds: float) -> None:
        self.timings[part] = self.timings.get(part, 0.0) + seconds

    def save_checkpoint(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        self.checkpoint = ({name: tensor.clone() for name, tensor in tensors.items()}, dict(state))
        self.checkpoints += 1

    def load_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        return self.checkpoint

    def register(self, draft: ModelDraft, tensors: Mapping[str, Tensor]) -> Model:
        model_id = f"{self.run_id}.{draft.name}"
        if model_id not in self.models:
            own = {name: tensor.detach().clone() for name, tensor in tensors.items()}
            count = sum(tensor.numel() for tensor in own.values())
            model = Model(
                id=model_id,
                name=draft.name,
                kind=draft.kind,
                run_id=self.run_id,
                specialization=draft.specialization,
                architecture=draft.architecture,
                parameters=count,
                bytes=4 * count,
                digest=digest_tensors(own),
                origin=draft.origin,
                parents=draft.parents,
                files=[],
                metrics=draft.metrics,
                versions={},
                created_at=now(),
            )
            self.models[model_id] = (model, own)
        return self.models[model_id][0]

    def kept_files(self) -> Path:
        return self.scratch() / "kept"

    def register_file(self, draft: ModelDraft, path: Path) -> Model:
        if f"{self.run_id}.{draft.name}" in self.models:
            return self.models[f"{self.run_id}.{draft.name}"][0]
        model = self.register(draft, load_file(path))
        path.unlink()
        return model

    def load_model(self, model_id: str) -> tuple[Model, dict[str, Tensor]]:
        return self.models[model_id]

    def model_file(self, model_id: str) -> Path | None:
        return None

    def candidates(self) -> Sequence[Candidate]:
        return sorted(self.found.values(), key=lambda c: (c.generation, c.slot))

    def report(self, part: Mapping[str, Any]) -> None:
        self.reported |= part
