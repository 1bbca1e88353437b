"""What each model was made from, as rows that an index finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    table = op.create_table(
        "model_sources",
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "source_id"),
    )
    op.create_index("model_sources_source", "model_sources", ["source_id"], unique=False)
    connection = op.get_bind()
    models = sa.text("SELECT rowid, id, body FROM models WHERE rowid > :after ORDER BY rowid LIMIT 500")
    after = -1
    while found := connection.execute(models, {"after": after}).all():
        after = found[-1][0]
        rows = [
            {"model_id": model_id, "source_id": source}
            for _, model_id, body in found
            for source in sorted(sources(json.loads(body)))
        ]
        if rows:
            connection.execute(table.insert(), rows)


def sources(model: dict[str, Any]) -> set[str]:
    origin = model["origin"]
    return {*model["parents"], *leaves(origin.get("recipe")), *leaves(origin.get("initial"))}


def leaves(recipe: dict[str, Any] | None) -> Iterator[str]:
    if recipe is None:
        return
    if recipe["kind"] == "model":
        yield recipe["model_id"]
        return
    for part in [*recipe["inputs"], recipe.get("base")]:
        yield from leaves(part)
