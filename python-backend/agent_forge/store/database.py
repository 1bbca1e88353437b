"""The database: SQLite in WAL mode, one writer at a time, every commit on disk before it is acknowledged."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from .outbox import Transaction
from .schema import counters, meta


def _engine(path: Path, begin: str, busy_seconds: float) -> Engine:
    engine = create_engine(f"sqlite:///{path}", pool_size=16, max_overflow=48)

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver's own transaction handling is off: it would begin late, and deferred.
        connection.isolation_level = None
        cursor = connection.cursor()
        busy = f"busy_timeout={round(1000 * busy_seconds)}"
        for pragma in (busy, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


class Database:
    """Reads see one snapshot each; writes take the write lock at once, so that they never deadlock on upgrade.

    `on_commit` is called with the newest `seq` after each commit that appended an event, from the thread that wrote.
    A write waits `busy_seconds` for the lock. What goes wrong is named by `store_fault`.
    """

    def __init__(
        self, path: Path, on_commit: Callable[[int], None] | None = None, *, busy_seconds: float = 20.0
    ) -> None:
        self._reader = _engine(path, "BEGIN", busy_seconds)
        self._writer = _engine(path, "BEGIN IMMEDIATE", busy_seconds)
        self._on_commit = on_commit
        self._epoch: str | None = None

    def migrate(self) -> None:
        """Bring the schema up to date. Raises alembic's CommandError for a database of a newer version."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self._writer.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if connection.scalar(select(meta.c.value).where(meta.c.key == "epoch")) is None:
                connection.execute(insert(meta).values(key="epoch", value=secrets.token_hex(16)))
                connection.execute(insert(counters).values(name="seq", value=0))

    @property
    def epoch(self) -> str:
        if self._epoch is None:
            with self.read() as connection:
                self._epoch = connection.execute(select(meta.c.value).where(meta.c.key == "epoch")).scalar_one()
        return self._epoch

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """One transaction: state and its events together, or neither."""
        epoch = self.epoch
        with self._writer.begin() as connection:
            transaction = Transaction(connection, epoch)
            yield transaction
        if transaction.last_seq is not None and self._on_commit is not None:
            self._on_commit(transaction.last_seq)

    def get_meta(self, key: str) -> str | None:
        with self.read() as connection:
            value: str | None = connection.scalar(select(meta.c.value).where(meta.c.key == key))
            return value

    def set_meta(self, key: str, value: str) -> None:
        with self.write() as tx:
            tx.connection.execute(
                text("INSERT INTO meta(key, value) VALUES(:key, :value) ON CONFLICT(key) DO UPDATE SET value = :value"),
                {"key": key, "value": value},
            )

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()
