"""A `Job` over a folder: models are files there, all else stays in memory. For benchmarks of whole phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from agent_forge.contract.cognate import TrainingEvaluation, TrainingStep
from agent_forge.contract.evomerge import Candidate, Generation
from agent_forge.contract.job import ModelDraft
from agent_forge.contract.model import Model
from agent_forge.registry.tensors import digest_tensors, load_tensors, write_tensors
from agent_forge.worker import memory

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
"""Goes into names: the same in every run."""


@dataclass
class FolderJob:
    """Never paused, never cancelled. Finds models in its own folder and in `shelves`."""

    run_id: str
    folder: Path
    shelves: Sequence[Path] = ()
    created_at: datetime = CREATED
    recorded: list[Candidate] = field(default_factory=list)
    generations: list[Generation] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    reported: dict[str, Any] = field(default_factory=dict)

    def scratch(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder

    def kept_files(self) -> Path:
        return self.scratch() / "kept"

    def poll(self) -> None:
        pass

    def log(self, message: str, level: Literal["info", "warning", "error"] = "info") -> None:
        pass

    def progress(self, done: int, total: int, unit: Literal["steps", "candidates"], stage: str) -> None:
        pass

    def step(self, step: TrainingStep) -> None:
        pass

    def evaluated(self, evaluation: TrainingEvaluation) -> None:
        pass

    def candidate(self, candidate: Candidate) -> None:
        self.recorded.append(candidate)

    def generation(self, generation: Generation) -> None:
        self.generations.append(generation)

    def timing(self, part: str, seconds: float) -> None:
        self.timings[part] = self.timings.get(part, 0.0) + seconds

    def save_checkpoint(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Nothing is kept; memory is given back, as a worker does it."""
        memory.give_back()

    def load_checkpoint(self) -> None:
        return None

    def register(self, draft: ModelDraft, tensors: Mapping[str, Tensor]) -> Model:
        path = self.scratch() / f"{draft.name}.safetensors"
        write_tensors(path, tensors, durable=False)
        count = sum(tensor.numel() for tensor in tensors.values())
        model = Model(
            id=draft.name,
            name=draft.name,
            kind=draft.kind,
            run_id=self.run_id,
            specialization=draft.specialization,
            architecture=draft.architecture,
            parameters=count,
            bytes=path.stat().st_size,
            digest=digest_tensors(tensors),
            origin=draft.origin,
            parents=draft.parents,
            files=[],
            metrics=draft.metrics,
            versions={},
            created_at=CREATED,
        )
        path.with_suffix(".json").write_text(model.model_dump_json())
        return model

    def register_file(self, draft: ModelDraft, path: Path) -> Model:
        model = self.register(draft, load_tensors(path))
        path.unlink()
        return model

    def load_model(self, model_id: str) -> tuple[Model, dict[str, Tensor]]:
        for shelf in (self.folder, *self.shelves):
            path = shelf / f"{model_id}.json"
            if path.exists():
                return Model.model_validate_json(path.read_bytes()), load_tensors(path.with_suffix(".safetensors"))
        raise LookupError(f"model {model_id} is not in {self.folder} nor on the shelves")

    def model_file(self, model_id: str) -> Path | None:
        places = (shelf / f"{model_id}.safetensors" for shelf in (self.folder, *self.shelves))
        return next((path for path in places if path.exists()), None)

    def candidates(self) -> Sequence[Candidate]:
        return self.recorded

    def report(self, part: Mapping[str, Any]) -> None:
        self.reported |= part
