"""Create, save, hash and register three TinyTitans, beside the plain way, in turns in one process.

    cd python-backend && ../.venv/bin/python -m benchmarks.creation [--repeats 3] [--directory .]

Ours: weights drawn straight into the memory-mapped files, model digest and SHA-256 of the file, fsync, rename,
metadata file (fsynced). Plain: construct the same parameters as `nn.Module`s, `torch.save`, no hash, no fsync.
The last line is JSON. Not covered: the database row (about a millisecond each).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from agent_forge.cognate.creation import create, plain_seconds
from agent_forge.cognate.plan import Drafts, stages
from agent_forge.cognate.presets import architecture, resolve
from agent_forge.contract.base import now
from agent_forge.contract.cognate import CognateConfig, TrainingEvaluation, TrainingStep
from agent_forge.contract.evomerge import Candidate, Generation
from agent_forge.contract.job import ModelDraft
from agent_forge.contract.model import Model
from agent_forge.registry.files import ModelFiles
from agent_forge.registry.store import store

if TYPE_CHECKING:
    from torch import Tensor


class FilesOnly:
    """A `Job` that registers into a directory and keeps no rows; whatever creation doesn't need is refused."""

    def __init__(self, files: ModelFiles, run_id: str) -> None:
        self.run_id = run_id
        self.created_at = now()
        self._files = files

    def scratch(self) -> Path:
        return self._files.scratch

    def poll(self) -> None:
        return

    def register(self, draft: ModelDraft, tensors: Mapping[str, Tensor]) -> Model:
        return store(draft, tensors, files=self._files, run_id=self.run_id, versions={}, time=self.created_at)

    def register_file(self, draft: ModelDraft, path: Path) -> Model:
        return store(draft, path, files=self._files, run_id=self.run_id, versions={}, time=self.created_at)

    def log(self, message: str, level: Literal["info", "warning", "error"] = "info") -> None:
        sys.stderr.write(f"{level}: {message}\n")

    def progress(self, done: int, total: int, unit: Literal["steps", "candidates"], stage: str) -> None:
        raise NotImplementedError

    def step(self, step: TrainingStep) -> None:
        raise NotImplementedError

    def evaluated(self, evaluation: TrainingEvaluation) -> None:
        raise NotImplementedError

    def candidate(self, candidate: Candidate) -> None:
        raise NotImplementedError

    def generation(self, generation: Generation) -> None:
        raise NotImplementedError

    def timing(self, part: str, seconds: float) -> None:
        raise NotImplementedError

    def save_checkpoint(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def load_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        raise NotImplementedError

    def load_model(self, model_id: str) -> tuple[Model, dict[str, Tensor]]:
        raise NotImplementedError

    def candidates(self) -> Sequence[Candidate]:
        raise NotImplementedError

    def report(self, part: Mapping[str, Any]) -> None:
        raise NotImplementedError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--preset", default="tinytitan")
    parser.add_argument("--directory", type=Path, default=Path(), help="files go to a temporary directory below it")
    options = parser.parse_args()
    config = resolve(CognateConfig(preset=options.preset, foundation_steps=0, train_steps=0))
    arch = architecture(config)
    plan = stages(config)
    ours: list[float] = []
    plain: list[float] = []
    parameters = 0
    with tempfile.TemporaryDirectory(dir=options.directory) as place:
        for repeat in range(options.repeats):
            files = ModelFiles(Path(place) / str(repeat))
            job = FilesOnly(files, f"run_{repeat}")
            start = time.perf_counter()
            models = create(plan, Drafts(job.run_id, job.created_at, config, arch), job)
            ours.append(time.perf_counter() - start)
            parameters = sum(model.parameters for model in models)
            for model in models:
                files.remove(model)
            plain.append(plain_seconds(plan, arch, Path(place)))
            sys.stderr.write(f"ours {ours[-1]:.2f} s, plain {plain[-1]:.2f} s\n")
    result = {
        "models": len(plan),
        "parameters": parameters,
        "seconds": round(statistics.median(ours), 3),
        "plain_seconds": round(statistics.median(plain), 3),
        "ratio": round(statistics.median(plain) / statistics.median(ours), 2),
        "best_seconds": round(min(ours), 3),
        "best_ratio": round(max(b / a for a, b in zip(ours, plain, strict=True)), 2),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
