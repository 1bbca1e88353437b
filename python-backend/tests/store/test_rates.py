"""Rates of past runs, and the forecasts that are made from them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent_forge.cognate.presets import resolve
from agent_forge.contract.architecture import Preset
from agent_forge.contract.cognate import CognateConfig
from agent_forge.contract.evomerge import EvoMergeSettings
from agent_forge.contract.run import Run, SeriesPoint
from agent_forge.store import rates, result_rows, run_rows
from agent_forge.store.database import Database
from agent_forge.store.rates import Part


def _config(foundation: int, train: int) -> CognateConfig:
    return resolve(CognateConfig(preset=Preset.nano, foundation_steps=foundation, train_steps=train))


def _trained(database: Database, run: Run, tokens_per_second: float) -> None:
    assert run.cognate is not None
    with database.write() as tx:
        run_rows.create(tx, run)
        points = [
            SeriesPoint(stage="foundation", step=step, loss=1.0, tokens_per_second=tokens_per_second)
            for step in range(1, 6)
        ]
        result_rows.add_series(tx, run.id, points)
        rates.record(tx, run)


def _seconds(database: Database, config: CognateConfig) -> float | None:
    units = rates.training_units(config)
    with database.read() as connection:
        timed = rates.seconds_per_unit(connection, Preset.nano, units)
    return None if timed is None else sum(timed[part] * count for part, count in units.items())


def test_no_run_no_rate(database: Database) -> None:
    assert _seconds(database, _config(400, 220)) is None


def test_a_run_forecasts_itself(database: Database, make_run: Callable[..., Run]) -> None:
    config = _config(400, 220)
    _trained(database, make_run("r1", cognate=config, busy_seconds=180.0), 6400.0)
    assert _seconds(database, config) == pytest.approx(180.0)


def test_a_short_run_does_not_pass_on_its_fixed_costs(database: Database, make_run: Callable[..., Run]) -> None:
    # 8 steps that took 1.3 s, and 20 s of start and evaluation.
    _trained(database, make_run("r1", cognate=_config(2, 2), busy_seconds=21.3), 6400.0)
    seconds = _seconds(database, _config(400, 220))
    # 1,060 steps at that speed take 170 s; a rate of the whole run's time would make it 47 minutes.
    assert seconds is not None
    assert 170 < seconds < 250


def test_the_newest_five_count(database: Database, make_run: Callable[..., Run]) -> None:
    config = _config(400, 220)
    for index in range(9):
        busy = 5000.0 if index < 4 else 180.0
        _trained(database, make_run(f"r{index}", cognate=config, busy_seconds=busy), 6400.0)
    assert _seconds(database, config) == pytest.approx(180.0)


def test_units_of_a_tournament() -> None:
    settings = EvoMergeSettings(
        generations=22,
        eval_problems=10,
        heldout_problems=100,
        barrier_points=3,
        polish_steps=40,
        finalists=3,
        final_problems=20,
    )
    # three parents, four single merges, the foundation; seven more λ; the champion with polish and without
    for aligned, paths, rivals in ((False, 3, 8), (True, 6, 7)):
        units = rates.breeding_units(settings, datasets=5, parents=3, candidates=16, aligned=aligned)
        frame = 5 * ((rivals + 7) * 10 + (rivals + 2) * 100 + 3 * 20 + paths * 3 * 10)
        assert units == {
            Part.align: 3 * aligned,
            Part.polish: 5 * 16 * (40 + 10),
            Part.merge: 16,
            Part.evaluate: 800,
            Part.frame: frame,
        }


def test_what_a_run_does_not_need_need_not_have_been_timed(database: Database) -> None:
    with database.read() as connection:
        assert rates.seconds_per_unit(connection, Preset.nano, {Part.align: 0}) == {Part.align: 0.0}
        assert rates.seconds_per_unit(connection, Preset.nano, {Part.align: 3}) is None


def test_parts_that_overlap_are_shortened_to_the_time_there_was() -> None:
    spent = {Part.merge: 60.0, Part.evaluate: 60.0}
    assert rates._within(100.0, spent, Part.frame) == {Part.merge: 50.0, Part.evaluate: 50.0, Part.frame: 0.0}
    assert rates._within(150.0, spent, Part.frame) == {**spent, Part.frame: 30.0}
