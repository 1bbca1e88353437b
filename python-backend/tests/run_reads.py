"""One run and what it has found: from the pages of runs and the event log, as clients read them, and from the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from agent_forge.store.database import Database

Get = Callable[[str], Any]
"""The JSON that a path answers with."""


def run_of(get: Get, run_id: str) -> dict[str, Any]:
    cursor = ""
    while True:
        page = get(f"/v1/runs?limit=20{cursor}")
        for run in page["items"]:
            if run["id"] == run_id:
                found: dict[str, Any] = run
                return found
        assert page["next_cursor"] is not None, f"no page lists run {run_id}"
        cursor = f"&cursor={page['next_cursor']}"


def events_of(get: Get) -> list[dict[str, Any]]:
    """The whole log, in order."""
    found: list[dict[str, Any]] = []
    while page := get(f"/v1/events?limit=5000&after={len(found)}")["events"]:
        found += page
    return found


def payloads_of(get: Get, run_id: str, kind: str) -> list[dict[str, Any]]:
    """What the run's events of one type carry, in order."""
    return [event["payload"] for event in events_of(get) if (event["run_id"], event["type"]) == (run_id, kind)]


def candidates_of(get: Get, run_id: str) -> list[dict[str, Any]]:
    """In (generation, slot) order."""
    return sorted(
        payloads_of(get, run_id, "candidate.evaluated"), key=lambda one: (int(one["generation"]), int(one["slot"]))
    )


@contextmanager
def store_of(data: Path) -> Iterator[Connection]:
    """The tables that the backend over this data directory writes, at one moment."""
    database = Database(data / "forge.db")
    try:
        with database.read() as connection:
            yield connection
    finally:
        database.close()
