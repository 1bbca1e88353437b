"""A model that others were made from, or that an unfinished run reads, is in use; old rows are found too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from agent_forge.contract.architecture import ARCHITECTURES, Preset
from agent_forge.contract.evomerge import EvoMergeConfig
from agent_forge.contract.model import Model
from agent_forge.contract.recipe import Leaf, MergeNode, MergeOrigin, TrainingOrigin
from agent_forge.contract.run import Run, RunKind
from agent_forge.store import model_rows, run_rows
from agent_forge.store.database import Database
from agent_forge.store.states import Action


def _leaf(model_id: str) -> Leaf:
    return Leaf(model_id=model_id, digest="0" * 64)


def _merged(*leaves: str, base: str | None = None) -> MergeOrigin:
    inner = MergeNode(op="linear", inputs=[_leaf(one) for one in leaves])
    recipe = MergeNode(op="slerp", inputs=[inner, _leaf(leaves[0])], base=_leaf(base) if base else None)
    return MergeOrigin(run_id="run", candidate_id="run.g0.s0", recipe=recipe)


TRAINED = TrainingOrigin(
    run_id="run", stage="reasoning", seed=1, steps=2, architecture=ARCHITECTURES[Preset.nano], config={},
    initial=_leaf("mdl_a"),
)  # fmt: skip

USES: dict[str, dict[str, Any]] = {
    "a parent": {"parents": ["mdl_a", "mdl_b"]},
    "a leaf": {"parents": ["mdl_b"], "origin": _merged("mdl_b", "mdl_a")},
    "a base": {"parents": ["mdl_b"], "origin": _merged("mdl_b", "mdl_c", base="mdl_a")},
    "a foundation": {"origin": TRAINED},
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("old", [False, True])
def test_what_a_model_was_made_from_is_in_use_until_it_goes(
    tmp_path: Path, make_model: Callable[..., Model], use: str, old: bool
) -> None:
    made = make_model("mdl_made", **USES[use])
    path = tmp_path / "forge.db"
    if old:
        _store_before_there_were_sources(path, made)
    database = Database(path)
    database.migrate()
    try:
        with database.write() as tx:
            if not old:
                model_rows.add(tx, make_model("mdl_a"))
                model_rows.add(tx, made)
            assert model_rows.users(tx.connection, "mdl_a") == ["mdl_made"]
            assert model_rows.users(tx.connection, "mdl_made") == []
            assert model_rows.users(tx.connection, "mdl_") == []
            model_rows.remove(tx, made)
            assert model_rows.users(tx.connection, "mdl_a") == []
    finally:
        database.close()


def _store_before_there_were_sources(path: Path, model: Model) -> None:
    config = Config()
    folder = Path(__file__).parents[2] / "agent_forge" / "store" / "migrations"
    config.set_main_option("script_location", str(folder))
    with create_engine(f"sqlite:///{path}").begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(
            text(
                "INSERT INTO models (id, run_id, kind, name, digest, bytes, created_at, body) "
                "VALUES (:id, NULL, 'merged', :name, :digest, 40, '2026-01-01T00:00:00.000Z', :body)"
            ),
            {"id": model.id, "name": model.name, "digest": model.digest, "body": model.model_dump_json()},
        )


@pytest.mark.parametrize(
    "reads", [{"evomerge": EvoMergeConfig(parents=["mdl_a", "mdl_b"])}, {"model_ids": ["mdl_c", "mdl_a"]}]
)
def test_what_a_run_reads_is_in_use_until_it_ends(
    database: Database, make_run: Callable[..., Run], reads: dict[str, Any]
) -> None:
    run = make_run("run", kind=RunKind.evomerge, **reads)
    with database.write() as tx:
        run_rows.create(tx, run)
        assert model_rows.users(tx.connection, "mdl_a") == ["run"]
        run_rows.transition(tx, run, Action.cancel)
        assert model_rows.users(tx.connection, "mdl_a") == []
