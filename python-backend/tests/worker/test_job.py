from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from sqlalchemy import func, select

from agent_forge.contract.architecture import ARCHITECTURES, Preset, tensor_shapes
from agent_forge.contract.cognate import TrainingEvaluation, TrainingStep
from agent_forge.contract.errors import Cancelled, Paused
from agent_forge.contract.evomerge import Candidate
from agent_forge.contract.job import ModelDraft
from agent_forge.contract.model import ModelKind
from agent_forge.contract.recipe import ImportOrigin
from agent_forge.contract.run import Run, RunKind
from agent_forge.registry.errors import FileDiffersError, FileMissingError
from agent_forge.registry.files import ModelFiles
from agent_forge.store import model_rows, result_rows, run_rows
from agent_forge.store.database import Database
from agent_forge.store.errors import Fenced
from agent_forge.store.schema import events
from agent_forge.store.states import Action
from agent_forge.worker.errors import Stopped
from agent_forge.worker.job import DatabaseJob


class Attempt:
    """A leased run and its job."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database, self.directory = database, directory
        self.sent: list[dict[str, Any]] = []
        self.stop = threading.Event()
        self.open()

    def open(self) -> None:
        with self.database.write() as tx:
            leased = run_rows.lease_next(tx, "worker", 1, 60.0)
        assert leased is not None
        self.run, self.lease = leased
        self.job = DatabaseJob(
            database=self.database,
            lease=self.lease,
            run=self.run,
            files=ModelFiles(self.directory / "models", 0),
            checkpoints=self.directory / "checkpoints",
            send_live=self.sent.append,
            stop=self.stop,
        )

    def act(self, *actions: Action) -> None:
        with self.database.write() as tx:
            run = run_rows.find(tx.connection, self.run.id)
            assert run is not None
            for action in actions:
                run = run_rows.transition(tx, run, action)
        self.job.control.set()

    def state(self) -> Run:
        with self.database.read() as connection:
            run = run_rows.find(connection, self.run.id)
        assert run is not None
        return run

    def count(self, event: str) -> int:
        with self.database.read() as connection:
            query = select(func.count()).select_from(events).where(events.c.type == event)
            return int(connection.execute(query).scalar_one())


@pytest.fixture
def attempt(database: Database, tmp_path: Path, make_run: Callable[..., Run]) -> Iterator[Attempt]:
    with database.write() as tx:
        run_rows.create(tx, make_run("r", kind=RunKind.evomerge))
    opened = Attempt(database, tmp_path)
    yield opened
    opened.job.close()


def _evaluation(step: int) -> TrainingEvaluation:
    return TrainingEvaluation(
        run_id="r", stage="foundation", step=step, total_steps=9, train_loss=None, tasks=[], mean_depth=1.0,
        tokens_per_second=None, elapsed_seconds=0.0,
    )  # fmt: skip


def _step(step: int, total: int) -> TrainingStep:
    return TrainingStep(
        run_id="r", stage="foundation", step=step, total_steps=total, loss=1.0, ponder=1.0, learning_rate=0.1,
        gradient_norm=1.0, tokens_per_second=5.0,
    )  # fmt: skip


def _draft(name: str) -> ModelDraft:
    return ModelDraft(
        name=name, directory="evomerge/r", kind=ModelKind.merged, specialization=None,
        architecture=ARCHITECTURES[Preset.nano], origin=ImportOrigin(filename="x"), parents=[], metrics={},
    )  # fmt: skip


@pytest.mark.parametrize(("action", "raised"), [(Action.pause, Paused), (Action.cancel, Cancelled)])
def test_a_command_takes_effect_at_the_next_poll(attempt: Attempt, action: Action, raised: type[Exception]) -> None:
    attempt.job.poll()
    attempt.act(action)
    with pytest.raises(raised):
        attempt.job.poll()


def test_a_worker_that_shall_end_stops_at_the_next_poll(attempt: Attempt) -> None:
    attempt.stop.set()
    with pytest.raises(Stopped):
        attempt.job.poll()


def test_work_that_is_repeated_is_recorded_once(attempt: Attempt, make_candidate: Callable[..., Candidate]) -> None:
    for _ in range(2):
        attempt.job.evaluated(_evaluation(0))
        attempt.job.candidate(make_candidate("r", 0, 0, 0.5))
    assert attempt.count("training.evaluated") == 1
    assert attempt.count("candidate.evaluated") == 1
    assert [c.slot for c in attempt.job.candidates()] == [0]


def test_the_champion_is_the_best_so_far(attempt: Attempt, make_candidate: Callable[..., Candidate]) -> None:
    for slot, fitness in enumerate((0.5, 0.7, 0.6)):
        attempt.job.candidate(make_candidate("r", 0, slot, fitness))
    assert (attempt.state().champion_id, attempt.state().champion_fitness) == ("r.g0.s1", 0.7)


def test_a_run_carries_the_champions_heldout_fitness_of_its_report(
    attempt: Attempt, make_candidate: Callable[..., Candidate]
) -> None:
    heldout = make_candidate("r", 0, 0, 0.6).fitness
    attempt.job.report({"champion": None})
    assert attempt.state().champion_heldout is None
    before = attempt.count("run.updated")
    for _ in range(2):
        attempt.job.report({"champion_heldout": heldout.model_dump(mode="json")})
    assert attempt.state().champion_heldout == heldout
    assert attempt.count("run.updated") == before + 1


def test_a_checkpoint_replaces_the_one_before_and_comes_back_whole(attempt: Attempt) -> None:
    assert attempt.job.load_checkpoint() is None
    attempt.job.save_checkpoint({"w": torch.arange(3.0)}, {"step": 1})
    attempt.job.save_checkpoint({"w": torch.arange(4.0)[::2]}, {"step": 2, "nested": {"ü": [1.5, None]}})
    loaded = attempt.job.load_checkpoint()
    assert loaded is not None
    assert loaded[0]["w"].tolist() == [0.0, 2.0]
    assert loaded[1] == {"step": 2, "nested": {"ü": [1.5, None]}}
    assert len(list((attempt.directory / "checkpoints" / "r").iterdir())) == 1


def test_a_checkpoint_without_tensors(attempt: Attempt) -> None:
    attempt.job.save_checkpoint({}, {"stage": 1})
    assert attempt.job.load_checkpoint() == ({}, {"stage": 1})


def test_a_fenced_attempt_cannot_touch_what_its_successor_sees(attempt: Attempt) -> None:
    attempt.job.save_checkpoint({"w": torch.zeros(1)}, {"step": 1})
    attempt.act(Action.interrupt, Action.requeue)
    stale = attempt.job
    attempt.open()
    for call in (
        lambda: stale.save_checkpoint({"w": torch.ones(1)}, {"step": 99}),
        lambda: stale.evaluated(_evaluation(3)),
        lambda: stale.log("still here"),
        lambda: stale.report({"baselines": []}),
    ):
        with pytest.raises(Fenced):
            call()
    stale.close()
    loaded = attempt.job.load_checkpoint()
    assert loaded is not None
    assert loaded[1] == {"step": 1}


def test_registering_twice_gives_the_same_model(attempt: Attempt) -> None:
    shapes = tensor_shapes(ARCHITECTURES[Preset.nano])
    tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
    first = attempt.job.register(_draft("champion"), tensors)
    assert attempt.job.register(_draft("champion"), {n: t + 1 for n, t in tensors.items()}) == first
    assert attempt.count("model.registered") == 1
    assert attempt.state().champion_model_id == first.id
    assert attempt.state().model_ids == [first.id]
    model, loaded = attempt.job.load_model(first.id)
    assert model == first
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize("gone", [True, False])
def test_a_model_whose_file_differs_is_not_loaded_and_told(attempt: Attempt, tmp_path: Path, gone: bool) -> None:
    shapes = tensor_shapes(ARCHITECTURES[Preset.nano])
    model = attempt.job.register(_draft("champion"), {name: torch.zeros(shape) for name, shape in shapes.items()})
    (path,) = tmp_path.rglob("*.safetensors")
    if gone:
        path.unlink()
    else:
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\1")
    for _ in range(2):
        with pytest.raises(FileMissingError if gone else FileDiffersError, match="champion"):
            attempt.job.load_model(model.id)
    assert attempt.count("model.verified") == 1
    with attempt.database.read() as connection:
        told = model_rows.find(connection, model.id)
    assert told is not None
    assert told.verified is False


def test_the_series_is_thinned_to_a_thousand_points_a_stage(attempt: Attempt) -> None:
    for step in range(1, 5001):
        attempt.job.step(_step(step, 5000))
    attempt.job.flush()
    with attempt.database.read() as connection:
        series = result_rows.series_of(connection, "r")
    assert len(series) == 1000
    assert series[-1].step == 5000


def test_of_live_events_the_latest_wins_and_few_are_sent(attempt: Attempt) -> None:
    for done in range(2000):
        attempt.job.progress(done, 2000, "steps", "foundation")
    attempt.job.close()
    sent = [event["payload"]["done"] for event in attempt.sent if event["type"] == "run.progress"]
    assert sent == sorted(sent)
    assert sent[-1] == 1999
    assert len(sent) < 200


def test_time_is_accounted_for_by_part(attempt: Attempt) -> None:
    attempt.job.timing("merge", 0.5)
    attempt.job.timing("merge", 0.25)
    attempt.job.flush()
    attempt.job.timing("merge", 0.25)
    attempt.job.flush()
    with attempt.database.read() as connection:
        assert run_rows.read_json(connection, "r", "timings") == {"merge": 1.0}
