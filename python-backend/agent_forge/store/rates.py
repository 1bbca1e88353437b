"""Rates of past runs on this machine, by preset: what forecasts of time are made from.

A run's time is kept in parts that grow with different things, so that a short run does not pass its fixed costs on
to the forecast of a long one.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import ceil
from statistics import median

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from ..cognate.presets import filled, total_steps
from ..contract.architecture import CausalLM
from ..contract.cognate import CognateConfig
from ..contract.evomerge import EvoMergeSettings
from ..contract.model import Model
from ..contract.recipe import MergeNode, Recipe
from ..contract.run import Run
from ..evomerge.measure.barrier import pairs
from ..evomerge.measure.single_merges import SCALES, SINGLE_MERGES
from ..evomerge.recipe.tree import nodes
from ..evomerge.search.strategy import POLISH_PROBLEMS, polish_steps
from . import model_rows, result_rows, run_rows
from .outbox import Transaction
from .schema import rates

RECENT = 5
"""Runs that a rate is the median of."""


LEAST_STREAMED = 2**28
"""Bytes of a merge whose time tells a rate: that of a smaller one is spent on beginning."""


class Part(StrEnum):
    """A part of a run's time, and what it grows with."""

    step = "step"
    """Training steps: tokens."""
    check = "check"
    """All else of a training run, evaluations above all: held-out problems answered."""
    merge = "merge"
    """Merging: candidates."""
    evaluate = "evaluate"
    """Evaluating candidates: problems answered."""
    align = "align"
    """Matching parents' units to a reference: parents, where they are aligned."""
    polish = "polish"
    """Improving weights by gradient: training problems, passed forward and back."""
    stream = "stream"
    """A merge from files to a file: bytes read and written."""
    frame = "frame"
    """All else of a breeding run, parents and champion above all: problems answered."""


def training_units(config: CognateConfig) -> dict[Part, float]:
    """Of a resolved configuration that trains."""
    tokens = total_steps(config) * (config.batch_tokens or 0)
    stages = [config.foundation_steps or 0] * bool(config.foundation_steps)
    stages += [config.train_steps or 0] * len(config.specializations)
    checks = sum(1 + ceil(steps / (config.eval_interval or 1)) for steps in stages)
    return {Part.step: tokens, Part.check: checks * config.eval_problems * len(config.datasets)}


def breeding_units(
    settings: EvoMergeSettings, datasets: int, parents: int, candidates: int, *, aligned: bool
) -> dict[Part, float]:
    """`candidates` are those that were merged and evaluated, `datasets` what they were evaluated on."""
    selection = filled(settings.eval_problems)
    # Parents, single merges and, where they need no aligning, their foundation; then the champion with and without
    # polish. Merges with a λ are tried with several.
    rivals = parents + len(SINGLE_MERGES) + (0 if aligned else 1)
    tried = sum(len(scales) - 1 for scales in SCALES.values())
    framing = (rivals + tried) * selection + (rivals + 2) * settings.heldout_problems
    framing += min(settings.finalists, candidates) * settings.final_problems
    paths = len(pairs(parents)) * (2 if aligned else 1)
    framing += paths * settings.barrier_points * selection
    polished = POLISH_PROBLEMS * sum(polish_steps(settings, index) for index in range(settings.generations))
    return {
        Part.align: parents if aligned else 0,
        Part.polish: datasets * polished if settings.strategy == "tournament" else 0,
        Part.merge: candidates,
        Part.evaluate: datasets * candidates * selection,
        Part.frame: datasets * framing,
    }


def rate_of(model: Model) -> str:
    """What rates are kept under: a TinyTitan's preset, another model's type and size."""
    if isinstance(model.architecture, CausalLM):
        return f"{model.architecture.model_type}-{model.parameters}"
    return model.architecture.preset if model.architecture is not None else "unknown"


def rate_of_merge(recipe: Recipe) -> str:
    """What rates of single merges are kept under: their ops."""
    ops = sorted({one.op for one in nodes(recipe) if isinstance(one, MergeNode)} - {"cast"})
    return "+".join(ops)[:200] or "copy"


def record(tx: Transaction, run: Run) -> None:
    """Keep a finished run's time per unit of work; nothing where it did no such work."""
    if run.cognate is not None:
        preset: str = run.cognate.preset
        units = training_units(run.cognate)
        speeds = [p.tokens_per_second for p in result_rows.series_of(tx.connection, run.id) if p.tokens_per_second > 0]
        if not speeds:
            return
        # The median step: pauses and a slow start are no part of a rate.
        spent = {Part.step: units[Part.step] / median(speeds)}
        rest = Part.check
    elif run.evomerge is not None:
        parents = model_rows.find_many(tx.connection, run.evomerge.parents).values()
        bred = [parent for parent in parents if parent.architecture is not None]
        done = [c for c in result_rows.candidates_of(tx.connection, run.id) if not c.cached]
        if not bred or not done:
            return
        preset = rate_of(bred[0])
        aligned = run_rows.read_json(tx.connection, run.id, "report").get("aligned_to") is not None
        timings = run_rows.read_json(tx.connection, run.id, "timings")
        units = breeding_units(run.evomerge, len(done[0].fitness.tasks), len(bred), len(done), aligned=aligned)
        spent = {
            Part.align: timings.get("align", 0.0),
            Part.polish: timings.get("polish", 0.0),
            Part.merge: sum(c.merge_seconds for c in done),
            Part.evaluate: sum(c.evaluate_seconds for c in done),
        }
        rest = Part.frame
    elif run.merge is not None:
        preset = rate_of_merge(run.merge.recipe)
        moved = run_rows.read_json(tx.connection, run.id, "report").get("moved_bytes", 0)
        if moved < LEAST_STREAMED:
            return
        units, spent, rest = {Part.stream: moved}, {}, Part.stream
    else:
        return
    _keep(tx, run, preset, units, _within(run.busy_seconds, spent, rest))


def seconds_per_unit(connection: Connection, preset: str, units: Mapping[Part, float]) -> dict[Part, float] | None:
    """Median over the newest runs, for each of the parts; None where one that is needed was never timed."""
    found: dict[Part, float] = {}
    for part, count in units.items():
        if count == 0:
            found[part] = 0.0
            continue
        query = (
            select(rates.c.seconds, rates.c.units)
            .where(rates.c.part == part, rates.c.preset == preset)
            .order_by(rates.c.run_id.desc())
            .limit(RECENT)
        )
        timed = [row.seconds / row.units for row in connection.execute(query)]
        if not timed:
            return None
        found[part] = median(timed)
    return found


def _within(busy: float, spent: Mapping[Part, float], rest: Part) -> dict[Part, float]:
    """The parts and what remains of the run's time; parts that overlapped are shortened to what there was."""
    total = sum(spent.values())
    scale = min(1.0, busy / total) if total > 0 else 1.0
    return {**{part: seconds * scale for part, seconds in spent.items()}, rest: max(0.0, busy - total)}


def _keep(tx: Transaction, run: Run, preset: str, units: Mapping[Part, float], seconds: Mapping[Part, float]) -> None:
    for part, spent in seconds.items():
        if units[part] > 0 and run.busy_seconds > 0:
            row = {"run_id": run.id, "part": part, "preset": preset, "seconds": spent, "units": units[part]}
            tx.connection.execute(
                insert(rates).values(row).on_conflict_do_update(index_elements=["run_id", "part"], set_=row)
            )
