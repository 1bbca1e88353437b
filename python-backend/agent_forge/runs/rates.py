"""Rates of past runs on this machine, by preset: what forecasts of time are made from."""

from __future__ import annotations

from statistics import median

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from ..cognate.presets import total_steps
from ..contract.architecture import Preset
from ..contract.cognate import CognateConfig
from ..contract.evomerge import EvoMergeSettings
from ..contract.run import Run
from . import records, shelf
from .outbox import Transaction
from .schema import rates

RECENT = 5
"""Runs that a rate is the median of."""


def training_units(config: CognateConfig) -> float:
    """Tokens trained on, of a resolved configuration."""
    return float(total_steps(config) * (config.batch_tokens or 0))


def breeding_units(settings: EvoMergeSettings, datasets: int, candidates: int) -> float:
    """Problems answered by candidates, and by parents and champion on the held-out split."""
    return float(datasets * (candidates * settings.eval_problems + 4 * settings.heldout_problems))


def record(tx: Transaction, run: Run) -> None:
    """Keep a finished run's time per unit of work; nothing where it did no such work."""
    if run.cognate is not None:
        part, preset, units = "train", run.cognate.preset, training_units(run.cognate)
    elif run.evomerge is not None:
        parents = shelf.find_many(tx.connection, run.evomerge.parents).values()
        shapes = [parent.architecture for parent in parents if parent.architecture is not None]
        done = [c for c in records.candidates_of(tx.connection, run.id) if not c.cached]
        if not shapes or not done:
            return
        part, preset = "breed", shapes[0].preset
        units = breeding_units(run.evomerge, len(done[0].fitness.tasks), len(done))
    if units > 0 and run.busy_seconds > 0:
        row = {"run_id": run.id, "part": part, "preset": preset, "seconds": run.busy_seconds, "units": units}
        tx.connection.execute(
            insert(rates).values(row).on_conflict_do_update(index_elements=["run_id", "part"], set_=row)
        )


def seconds_per_unit(connection: Connection, part: str, preset: Preset) -> float | None:
    """Median over the newest runs; None where there was none."""
    query = (
        select(rates.c.seconds, rates.c.units)
        .where(rates.c.part == part, rates.c.preset == preset)
        .order_by(rates.c.run_id.desc())
        .limit(RECENT)
    )
    found = [row.seconds / row.units for row in connection.execute(query)]
    return median(found) if found else None
