"""Requests that create something, made once however often they are sent: the Idempotency-Key and what it made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel
from sqlalchemy import insert, select

from ..contract.base import now
from ..store.database import Database
from ..store.errors import Refusal
from ..store.outbox import Transaction, rfc3339
from ..store.schema import idempotency


class Orders:
    def __init__(self, database: Database) -> None:
        self._database = database

    def used(self, key: str) -> bool:
        """A repeat is answered with its run, whatever has happened to the parents since."""
        with self._database.read() as connection:
            return connection.scalar(select(idempotency.c.key).where(idempotency.c.key == key)) is not None

    @contextmanager
    def creating(self, operation: str, config: BaseModel, key: str | None) -> Iterator[tuple[Transaction, str | None]]:
        """A write transaction, and the id of what the same request has made before."""
        with self._database.write() as tx:
            known = None
            if key is not None:
                row = tx.connection.execute(select(idempotency).where(idempotency.c.key == key)).one_or_none()
                if row is not None:
                    if row.fingerprint != _fingerprint(operation, config):
                        raise Refusal("idempotency_conflict", "this Idempotency-Key was used for another request")
                    known = row.resource_id
            yield tx, known

    def remember(self, tx: Transaction, operation: str, config: BaseModel, key: str | None, resource: str) -> None:
        if key is not None:
            tx.connection.execute(
                insert(idempotency).values(
                    key=key,
                    fingerprint=_fingerprint(operation, config),
                    resource_id=resource,
                    created_at=rfc3339(now()),
                )
            )


def _fingerprint(operation: str, config: BaseModel) -> str:
    return hashlib.sha256(f"{operation}\n{config.model_dump_json()}".encode()).hexdigest()
