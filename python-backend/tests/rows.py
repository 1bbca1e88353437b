"""A migrated database in a temporary directory, and small real resources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_forge.contract.architecture import ARCHITECTURES, Preset
from agent_forge.contract.base import now
from agent_forge.contract.evomerge import Candidate, Fitness, Role
from agent_forge.contract.model import Model, ModelKind
from agent_forge.contract.recipe import ImportOrigin, Leaf
from agent_forge.contract.run import Progress, Run, RunKind, RunStatus
from agent_forge.store.database import Database

MakeRun = Callable[..., Run]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "forge.db")
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def make_run() -> MakeRun:
    def make(run_id: str, **changes: object) -> Run:
        created = now()
        run = Run(
            id=run_id,
            kind=RunKind.cognate,
            name=run_id,
            status=RunStatus.queued,
            pipeline_id=None,
            depends_on=None,
            attempt=0,
            cognate=None,
            evomerge=None,
            settings=None,
            progress=Progress(done=0, total=10, unit="steps", stage="queued", eta_seconds=None),
            model_ids=[],
            champion_id=None,
            champion_model_id=None,
            champion_fitness=None,
            failure=None,
            worker_pid=None,
            device=None,
            versions={},
            trace_id=None,
            created_at=created,
            started_at=None,
            finished_at=None,
            updated_at=created,
            busy_seconds=0.0,
        )
        return run.model_copy(update=changes)

    return make


@pytest.fixture
def make_model() -> Callable[..., Model]:
    def make(model_id: str, **changes: object) -> Model:
        model = Model(
            id=model_id,
            name=f"model-{model_id}",
            kind=ModelKind.imported,
            run_id=None,
            specialization=None,
            architecture=ARCHITECTURES[Preset.nano],
            parameters=10,
            bytes=40,
            digest="0" * 64,
            origin=ImportOrigin(filename="x.safetensors"),
            parents=[],
            files=[],
            metrics={},
            versions={},
            created_at=now(),
        )
        return model.model_copy(update=changes)

    return make


@pytest.fixture
def make_candidate() -> Callable[..., Candidate]:
    def make(run_id: str, generation: int, slot: int, fitness: float) -> Candidate:
        return Candidate(
            id=f"{run_id}.g{generation}.s{slot}",
            run_id=run_id,
            generation=generation,
            slot=slot,
            role=Role.seed,
            op="linear",
            parents=[],
            recipe=Leaf(model_id="mdl_a", digest="0" * 64),
            digest=f"{generation * 8 + slot:064x}",
            parameters=10,
            bytes=40,
            fitness=Fitness(
                total=fitness, likelihood=0.5, accuracy=0.5, compute=1.0, memory=1.0, mean_depth=2.0, tasks={}
            ),
            merge_seconds=0.0,
            evaluate_seconds=0.0,
            cached=False,
        )

    return make
