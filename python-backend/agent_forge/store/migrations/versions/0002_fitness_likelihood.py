"""The fitness part exp(−loss) is called `likelihood`; `perplexity` is exp(loss) alone."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

PARTS = {"accuracy", "compute", "memory"}
"""Stand beside it in a fitness and in its weights, and in nothing else."""
STORED = (
    ("runs", "body", "true"),
    ("runs", "report", "true"),
    ("candidates", "body", "true"),
    ("generations", "body", "true"),
    ("events", "payload", "type IN ('candidate.evaluated', 'generation.completed') OR type LIKE 'run.%'"),
)


def upgrade() -> None:
    connection = op.get_bind()
    for table, column, which in STORED:
        rows = sa.text(
            f"SELECT rowid, {column} FROM {table} WHERE rowid > :after AND ({which}) ORDER BY rowid LIMIT 500"  # noqa: S608 - constants
        )
        update = sa.text(f"UPDATE {table} SET {column} = :json WHERE rowid = :row")  # noqa: S608 - constants
        after = -1
        while found := connection.execute(rows, {"after": after}).all():
            after = found[-1][0]
            connection.execute(
                update,
                [
                    {"row": row, "json": json.dumps(renewed(json.loads(old)), separators=(",", ":"))}
                    for row, old in found
                ],
            )


def renewed(value: Any) -> Any:
    """With the new name, and with the fields that candidates and generations have since then."""
    if isinstance(value, list):
        return [renewed(one) for one in value]
    if not isinstance(value, dict):
        return value
    old = "perplexity" if value.keys() >= PARTS else None
    made = {"likelihood" if key == old else key: renewed(one) for key, one in value.items()}
    if made.keys() >= {"recipe", "evaluate_seconds"}:
        made.setdefault("fault", None)
    if made.keys() >= {"ranked", "champion_fitness"}:
        made.setdefault("faulted", 0)
    return made
