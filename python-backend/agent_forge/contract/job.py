"""What a phase needs from whoever runs it: the port between the engine and the run machinery.

The engine (cognate, evomerge) does its work through a `Job` and knows nothing of databases, queues or
processes. Every durable call is idempotent by its natural key, so that work repeated after a crash is
recorded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .architecture import Architecture
from .base import Resource
from .cognate import Specialization, TrainingEvaluation, TrainingStep
from .evomerge import Candidate, Generation
from .model import Model, ModelKind, Tokenizer
from .recipe import Origin
from .run import ProgressUnit

if TYPE_CHECKING:
    from torch import Tensor


class ModelDraft(Resource):
    """A model that is about to be registered."""

    name: str
    """Also the file's stem, without extension: unique within the run."""
    directory: str
    """Below the models directory, e.g. `cognate/<session_id>`."""
    kind: ModelKind
    specialization: Specialization | None
    architecture: Architecture | None
    """Null only for an imported model of an unknown shape."""
    origin: Origin
    parents: list[str]
    metrics: dict[str, float]
    formats: list[Literal["safetensors", "pt"]] = ["safetensors"]
    documents: str | None = None
    """Folder below the models directory whose config, tokenizer and so on are the new model's, which then is a folder
    too; null: it is a single file."""
    tokenizer: Tokenizer | None = None
    """Of the new model."""
    tokenizer_documents: str | None = None
    """Folder whose tokenizer files are taken instead; null: `documents` has them."""
    tokenizer_file: str | None = None
    """A tokenizer.json in place of the one that those documents have; null: that one."""
    chat_template: str | None = None
    """Jinja, in place of the one that the tokenizer files hold; null: that one."""
    mergekit: str | None = None
    """The recipe in mergekit's words; null where it has none."""


class Job(Protocol):
    """One attempt at one run."""

    run_id: str
    created_at: datetime
    """When the run was created: the same in every attempt, so that names made from it are too."""

    def scratch(self) -> Path:
        """A directory for unfinished files on the models' file system, emptied when the run ends."""

    def kept_files(self) -> Path:
        """A directory on the models' file system for files that a resumed run goes on from; it is deleted when the run
        has succeeded."""

    def poll(self) -> None:
        """Call at least once a step or a child. Raises `Paused` or `Cancelled`."""

    def log(self, message: str, level: Literal["info", "warning", "error"] = "info") -> None: ...

    def progress(self, done: int, total: int, unit: ProgressUnit, stage: str) -> None:
        """Live; also kept in the run's row now and then. Computes the ETA."""

    def step(self, step: TrainingStep) -> None:
        """Live; a down-sampled series is kept."""

    def evaluated(self, evaluation: TrainingEvaluation) -> None: ...

    def candidate(self, candidate: Candidate) -> None: ...

    def generation(self, generation: Generation) -> None: ...

    def timing(self, part: str, seconds: float) -> None:
        """Add to the run's account of wall time (`merge`, `evaluate`, `train`, `io`, …)."""

    def save_checkpoint(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Atomically replace the run's checkpoint. `state` must be JSON."""

    def load_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None: ...

    def register(self, draft: ModelDraft, tensors: Mapping[str, Tensor]) -> Model:
        """Write the file and its metadata, then the row. A repeat of the same name returns the same model."""

    def register_file(self, draft: ModelDraft, path: Path) -> Model:
        """As `register`, for a finished safetensors file on the models' file system, or a folder of such files where
        the draft names documents; it is moved."""

    def load_model(self, model_id: str) -> tuple[Model, dict[str, Tensor]]:
        """A registered model, its tensors memory-mapped and its digest known."""

    def model_file(self, model_id: str) -> Path | None:
        """The safetensors file of a registered model; None where it lies in none."""

    def candidates(self) -> Sequence[Candidate]:
        """Those recorded so far in this run, in (generation, slot) order: for resuming."""

    def report(self, part: Mapping[str, Any]) -> None:
        """Merge these keys into the run's report."""
