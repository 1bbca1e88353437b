"""What a run has found: evaluations, candidates, generations, series, log lines. Each is recorded once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from ..contract.cognate import TrainingEvaluation
from ..contract.evomerge import Candidate, Fitness, Generation
from ..contract.fault import Fault
from ..contract.run import LogLine, SeriesPoint
from .outbox import Transaction
from .schema import candidates, evaluations, events, generations, series


def add_evaluation(tx: Transaction, evaluation: TrainingEvaluation) -> bool:
    """False where it was recorded before: work repeated after a crash."""
    key = (evaluation.run_id, evaluation.stage, evaluation.step)
    c = evaluations.c
    if tx.connection.scalar(select(c.seq).where(c.run_id == key[0], c.stage == key[1], c.step == key[2])) is not None:
        return False
    seq = tx.append("training.evaluated", evaluation, evaluation.run_id)
    tx.connection.execute(
        insert(evaluations).values(run_id=key[0], stage=key[1], step=key[2], seq=seq, body=evaluation.model_dump_json())
    )
    return True


def add_candidate(tx: Transaction, candidate: Candidate) -> bool:
    c = candidates.c
    if tx.connection.scalar(select(c.id).where(c.id == candidate.id)) is not None:
        return False
    tx.append("candidate.evaluated", candidate, candidate.run_id)
    tx.connection.execute(
        insert(candidates).values(
            run_id=candidate.run_id,
            generation=candidate.generation,
            slot=candidate.slot,
            id=candidate.id,
            body=candidate.model_dump_json(),
        )
    )
    return True


def add_generation(tx: Transaction, generation: Generation) -> bool:
    c = generations.c
    known = select(c.index).where(c.run_id == generation.run_id, c.index == generation.index)
    if tx.connection.scalar(known) is not None:
        return False
    tx.append("generation.completed", generation, generation.run_id)
    tx.connection.execute(
        insert(generations).values(run_id=generation.run_id, index=generation.index, body=generation.model_dump_json())
    )
    return True


def add_log(tx: Transaction, line: LogLine) -> None:
    tx.append("run.log", line, line.run_id)


def add_series(tx: Transaction, run_id: str, points: Iterable[SeriesPoint]) -> None:
    rows = [{"run_id": run_id, **point.model_dump()} for point in points]
    if rows:
        statement = upsert(series)
        tx.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["run_id", "stage", "step"],
                set_={
                    "loss": statement.excluded.loss,
                    "tokens_per_second": statement.excluded.tokens_per_second,
                },
            ),
            rows,
        )


def evaluations_of(connection: Connection, run_id: str) -> list[TrainingEvaluation]:
    query = select(evaluations.c.body).where(evaluations.c.run_id == run_id).order_by(evaluations.c.seq)
    return [TrainingEvaluation.model_validate_json(body) for body in connection.execute(query).scalars()]


def generations_of(connection: Connection, run_id: str) -> list[Generation]:
    query = select(generations.c.body).where(generations.c.run_id == run_id).order_by(generations.c.index)
    return [Generation.model_validate_json(body) for body in connection.execute(query).scalars()]


def candidates_of(connection: Connection, run_id: str) -> list[Candidate]:
    """In (generation, slot) order."""
    c = candidates.c
    query = select(c.body).where(c.run_id == run_id).order_by(c.generation, c.slot)
    return [Candidate.model_validate_json(body) for body in connection.execute(query).scalars()]


class Scores(NamedTuple):
    """What a candidate is worth, without its recipe: that is most of a candidate's text, and slow to parse."""

    id: str
    bytes: int
    fitness: Fitness
    fault: Fault | None


_SCORES = TypeAdapter(Scores)


def scores_of(connection: Connection, run_id: str) -> list[Scores]:
    """Of all candidates, in (generation, slot) order."""
    c = candidates.c
    fields = func.json_extract(c.body, *(f"$.{field}" for field in Scores._fields))
    query = select(fields).where(c.run_id == run_id).order_by(c.generation, c.slot)
    return [_SCORES.validate_json(found) for found in connection.execute(query).scalars()]


def find_candidate(connection: Connection, candidate_id: str) -> Candidate | None:
    body = connection.scalar(select(candidates.c.body).where(candidates.c.id == candidate_id))
    return Candidate.model_validate_json(body) if body is not None else None


def logs_of(connection: Connection, run_id: str, limit: int) -> list[LogLine]:
    """The newest lines, oldest of them first."""
    query = (
        select(events.c.payload)
        .where(events.c.run_id == run_id, events.c.type == "run.log")
        .order_by(events.c.seq.desc())
        .limit(limit)
    )
    return [LogLine.model_validate_json(body) for body in reversed(list(connection.execute(query).scalars()))]


def series_of(connection: Connection, run_id: str) -> list[SeriesPoint]:
    c = series.c
    query = select(c.stage, c.step, c.loss, c.tokens_per_second).where(c.run_id == run_id).order_by(c.stage, c.step)
    return [SeriesPoint(**row._mapping) for row in connection.execute(query)]
