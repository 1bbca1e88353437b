"""The outbox: events numbered without gaps, in the transaction of the change that they report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel
from sqlalchemy import Connection, insert, select, text

from ..contract.base import now
from .schema import counters, events

_NEXT_SEQ = text("UPDATE counters SET value = value + 1 WHERE name = 'seq' RETURNING value")
_NEXT_RUN_SEQ = text("UPDATE runs SET run_seq = run_seq + 1 WHERE id = :run_id RETURNING run_seq")


def rfc3339(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Transaction:
    """A write transaction that can append events. The lock is held, so numbers cannot be given twice."""

    def __init__(self, connection: Connection, epoch: str) -> None:
        self.connection = connection
        self.epoch = epoch
        self.last_seq: int | None = None

    def append(self, event_type: str, payload: BaseModel, run_id: str | None = None) -> int:
        """Returns the event's `seq`."""
        seq: int = self.connection.execute(_NEXT_SEQ).scalar_one()
        run_seq = None
        if run_id is not None:
            run_seq = self.connection.execute(_NEXT_RUN_SEQ, {"run_id": run_id}).scalar_one()
        self.connection.execute(
            insert(events).values(
                seq=seq,
                run_id=run_id,
                run_seq=run_seq,
                type=event_type,
                time=rfc3339(now()),
                payload=payload.model_dump_json(),
            )
        )
        self.last_seq = seq
        return seq


@dataclass(frozen=True)
class StoredEvent:
    seq: int
    json: str
    """The whole envelope, ready for the wire."""


def last_seq(connection: Connection) -> int:
    value: int = connection.execute(select(counters.c.value).where(counters.c.name == "seq")).scalar_one()
    return value


def read_after(connection: Connection, epoch: str, after: int, limit: int) -> list[StoredEvent]:
    rows = connection.execute(select(events).where(events.c.seq > after).order_by(events.c.seq).limit(limit))
    return [
        StoredEvent(
            seq=row.seq,
            # The payload is JSON already: parsing it only to print it again would cost most of the time.
            json=json.dumps(
                {
                    "epoch": epoch,
                    "seq": row.seq,
                    "run_id": row.run_id,
                    "run_seq": row.run_seq,
                    "time": row.time,
                    "type": row.type,
                },
                separators=(",", ":"),
            )[:-1]
            + ',"payload":'
            + row.payload
            + "}",
        )
        for row in rows
    ]
