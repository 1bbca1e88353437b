"""Rows that were stored while the fitness part exp(−loss) was called `perplexity`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from agent_forge.contract.event import Event
from agent_forge.contract.evomerge import Candidate, Fitness
from agent_forge.store import result_rows
from agent_forge.store.database import Database
from agent_forge.store.outbox import read_after

FITNESS: dict[str, Any] = {
    "total": 0.5,
    "perplexity": 0.25,
    "accuracy": 0.75,
    "compute": 1.5,
    "memory": 1.0,
    "mean_depth": 2.5,
    "tasks": {"parity": {"loss": 1.386, "perplexity": 4.0, "accuracy": 0.75}},
}
CANDIDATE: dict[str, Any] = {
    "id": "r.g0.s0",
    "run_id": "r",
    "generation": 0,
    "slot": 0,
    "role": "seed",
    "op": "linear",
    "parents": ["a"],
    "recipe": {"kind": "model", "model_id": "a", "digest": "0" * 64},
    "digest": "1" * 64,
    "parameters": 1,
    "bytes": 4,
    "fitness": FITNESS,
    "merge_seconds": 0.1,
    "evaluate_seconds": 1e-05,
    "cached": False,
}


def migrated(path: Path, revision: str) -> None:
    config = Config()
    folder = Path(__file__).parents[2] / "agent_forge" / "store" / "migrations"
    config.set_main_option("script_location", str(folder))
    with create_engine(f"sqlite:///{path}").begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "forge.db"
    migrated(path, "0001")
    weights = {"perplexity": 0.4, "accuracy": 0.3, "compute": 0.2, "memory": 0.1}
    with create_engine(f"sqlite:///{path}").begin() as connection:
        connection.execute(
            text(
                "INSERT INTO runs (id, kind, status, attempt, fruitless, run_seq, body, timings, report) "
                "VALUES ('r', 'evomerge', 'succeeded', 1, 0, 1, :body, '{}', :report)"
            ),
            {
                "body": json.dumps({"evomerge": {"fitness": weights}}),
                "report": json.dumps({"champion_heldout": FITNESS, "baselines": [{"selection": FITNESS}]}),
            },
        )
        for slot in range(1200):
            connection.execute(
                text("INSERT INTO candidates VALUES ('r', 0, :slot, :id, :body)"),
                {"slot": slot, "id": f"r.g0.s{slot}", "body": json.dumps(CANDIDATE | {"slot": slot})},
            )
        connection.execute(
            text("INSERT INTO events VALUES (1, 'r', 1, 'candidate.evaluated', '2026-01-01T00:00:00.000Z', :payload)"),
            {"payload": json.dumps(CANDIDATE)},
        )
        connection.execute(
            text("INSERT INTO events VALUES (2, 'r', 2, 'run.log', '2026-01-01T00:00:00.000Z', :payload)"),
            {"payload": json.dumps({"message": 'perplexity and "accuracy"'})},
        )
    return path


def test_they_have_the_new_name_after_the_migration(old: Path) -> None:
    database = Database(old)
    database.migrate()
    try:
        with database.read() as connection:
            found = result_rows.candidates_of(connection, "r")
            [event, log] = read_after(connection, database.epoch, 0, 10)
            body, report = connection.execute(text("SELECT body, report FROM runs")).one()
    finally:
        database.close()
    assert len(found) == 1200
    assert found[-1] == Candidate.model_validate(CANDIDATE | {"slot": 1199})
    assert found[-1].fitness.likelihood == 0.25
    assert found[-1].fitness.tasks["parity"]["perplexity"] == 4.0
    # the event goes over the wire as it is stored
    payload = json.loads(event.json)["payload"]
    assert payload == Event.model_validate_json(event.json).root.payload.model_dump(mode="json", exclude_unset=True)
    assert list(payload["fitness"])[:2] == ["total", "likelihood"]
    assert json.loads(log.json)["payload"] == {"message": 'perplexity and "accuracy"'}
    assert json.loads(body)["evomerge"]["fitness"]["likelihood"] == 0.4
    stored = json.loads(report)
    assert Fitness.model_validate(stored["champion_heldout"]).likelihood == 0.25
    assert "perplexity" not in stored["baselines"][0]["selection"]


def test_a_checkpoint_of_then_is_read() -> None:
    """Checkpoints are files: no migration changes them."""
    read = Fitness.model_validate(FITNESS)
    assert read.likelihood == 0.25
    assert Fitness.model_validate(read.model_dump(mode="json")) == read
