"""Specialists that train at once: each a child of the run, which keeps its checkpoints and its result in files."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..contract.architecture import TinyTitan
from ..contract.cognate import CognateConfig, TaskScore
from ..execution.executor import Shared, SharedModel
from ..registry.atomic import replacing, write_all
from ..registry.tensors import load_tensors, write_tensors
from .bench import TrainingBench
from .plan import Stage
from .scoring import Evaluation
from .stage import Checkpointed, Evaluated, Saved, Stepped, Told, Trained, trained

FOUNDATION = "foundation"
"""Name under which children find it."""
_STATE = "state"


@dataclass(frozen=True)
class Specialist:
    """A child: a stage, and the directory that it alone writes to."""

    run_id: str
    stage: Stage
    directory: Path

    @property
    def name(self) -> str:
        return self.stage.name

    @property
    def model(self) -> Path:
        return self.directory / "model.safetensors"

    @property
    def checkpoint(self) -> Path:
        return self.directory / "checkpoint.safetensors"

    @property
    def scores(self) -> Path:
        """Written last: where it lies, the stage is done."""
        return self.directory / "scores.json"

    def keep(self, checkpoint: Saved) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        tensors, state = checkpoint
        write_tensors(self.checkpoint, tensors, {_STATE: json.dumps(state)})

    def kept(self) -> Saved | None:
        from safetensors import safe_open

        if not self.checkpoint.is_file():
            return None
        with safe_open(self.checkpoint, framework="pt") as file:
            state = json.loads(file.metadata()[_STATE])
        # Copies: the file is replaced while the stage goes on from it.
        return {name: tensor.clone() for name, tensor in load_tensors(self.checkpoint).items()}, state

    def finish(self, end: Trained) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        write_tensors(self.model, end.tensors)
        with replacing(self.scores) as fd:
            write_all(fd, json.dumps(asdict(end.scores), default=lambda one: one.model_dump(mode="json")).encode())
        self.checkpoint.unlink(missing_ok=True)

    def finished(self) -> Evaluation | None:
        with suppress(FileNotFoundError):
            found = json.loads(self.scores.read_bytes())
            return Evaluation(**found | {"tasks": [TaskScore.model_validate(task) for task in found["tasks"]]})
        return None


def worked_on(bench: TrainingBench, child: Specialist) -> Generator[Told | Stepped | Evaluated]:
    """A task of the executor: trains the stage to its end, from its last checkpoint where it has one."""
    if child.finished() is not None:
        return
    trainer = bench.trainer(child.stage, bench.initial(child.stage))
    for item in trained(child.run_id, child.stage, bench.config, trainer, bench.evaluator(), child.kept(), _idle):
        match item:
            case Checkpointed(tensors, state):
                child.keep((tensors, state))
            case Trained():
                child.finish(item)
            case _:
                yield item


@dataclass(frozen=True)
class _Description:
    config: CognateConfig
    architecture: TinyTitan
    roots: Sequence[Path]


def shared(bench: TrainingBench, digest: str | None, file: Path | None, memory: int) -> Shared[TrainingBench]:
    """digest, file: of the foundation, where there is one. memory: bytes that training one takes."""

    def describe() -> tuple[_Description, Mapping[str, SharedModel]]:
        models = {}
        if bench.foundation is not None and digest is not None:
            models[FOUNDATION] = SharedModel(bench.foundation, digest, file)
        return _Description(bench.config, bench.arch, bench.roots), models

    device = "cuda" if bench.device.type == "cuda" else "cpu"
    return Shared(bench, _elsewhere, describe, memory, device, resumes=True)


def _elsewhere(description: Any, tensors: Mapping[str, Mapping[str, Tensor]]) -> TrainingBench:
    assert isinstance(description, _Description)  # noqa: S101 - of `shared`
    bench = TrainingBench(description.config, description.architecture, description.roots)
    bench.foundation = tensors.get(FOUNDATION)
    return bench


def _idle() -> None:
    """A child is cancelled by its executor."""
