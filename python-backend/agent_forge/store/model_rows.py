"""Rows of registered models. The files are the registry's; the row, written last, is what makes a model exist."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection, delete, insert, select, tuple_, update

from ..contract.event import ModelDeletedPayload
from ..contract.model import Model, ModelKind, Verification
from ..contract.recipe import Leaf, MergeOrigin, Recipe, TrainingOrigin
from ..contract.run import Run
from ..evomerge.recipe.tree import nodes
from ..merges.plan import needed
from . import cursors
from .outbox import Transaction, rfc3339
from .schema import model_sources, models, runs
from .states import ENDED

Sort = Literal["created_at", "-created_at", "name", "-name", "bytes", "-bytes"]


def find(connection: Connection, model_id: str) -> Model | None:
    body = connection.scalar(select(models.c.body).where(models.c.id == model_id))
    return Model.model_validate_json(body) if body is not None else None


def find_many(connection: Connection, ids: list[str]) -> dict[str, Model]:
    bodies = connection.execute(select(models.c.body).where(models.c.id.in_(ids))).scalars()
    return {model.id: model for model in map(Model.model_validate_json, bodies)}


def named(connection: Connection, text: str) -> list[Model]:
    """The model of this id, else all of this name."""
    own = find(connection, text)
    if own is not None:
        return [own]
    bodies = connection.execute(select(models.c.body).where(models.c.name == text)).scalars()
    return [Model.model_validate_json(body) for body in bodies]


def of_digest(connection: Connection, digest: str) -> str | None:
    """Id of the first model with these tensors."""
    query = select(models.c.id).where(models.c.digest == digest).order_by(models.c.created_at, models.c.id)
    found: str | None = connection.scalar(query)
    return found


def find_candidate(connection: Connection, run_id: str, candidate_id: str) -> Model | None:
    """The registered model that a candidate became, if it did."""
    query = select(models.c.body).where(models.c.run_id == run_id, models.c.kind == ModelKind.merged)
    for body in connection.execute(query).scalars():
        model = Model.model_validate_json(body)
        if isinstance(model.origin, MergeOrigin) and model.origin.candidate_id == candidate_id:
            return model
    return None


def add(tx: Transaction, model: Model) -> bool:
    """False where it is registered already."""
    if find(tx.connection, model.id) is not None:
        return False
    tx.append("model.registered", model, model.run_id)
    tx.connection.execute(
        insert(models).values(
            id=model.id,
            run_id=model.run_id,
            kind=model.kind,
            name=model.name,
            digest=model.digest,
            bytes=model.bytes,
            created_at=rfc3339(model.created_at),
            body=model.model_dump_json(),
        )
    )
    rows = [{"model_id": model.id, "source_id": source} for source in sorted(_sources(model))]
    if rows:
        tx.connection.execute(insert(model_sources), rows)
    return True


def save(tx: Transaction, model: Model) -> None:
    tx.connection.execute(update(models).where(models.c.id == model.id).values(body=model.model_dump_json()))


def verified(tx: Transaction, verification: Verification) -> None:
    """Record a verification of a model, in its row and as an event; a model that is gone has neither."""
    model = find(tx.connection, verification.subject_id)
    if model is None:
        return
    save(tx, model.model_copy(update={"verified": verification.ok, "verified_at": verification.time}))
    tx.append("model.verified", verification, model.run_id)


def remove(tx: Transaction, model: Model) -> None:
    tx.connection.execute(delete(models).where(models.c.id == model.id))
    tx.connection.execute(delete(model_sources).where(model_sources.c.model_id == model.id))
    tx.append("model.deleted", ModelDeletedPayload(id=model.id), model.run_id)


def users(connection: Connection, model_id: str) -> list[str]:
    """What would lose its origin if this model were deleted: models made from it, and runs that still need it."""
    c = model_sources.c
    made = connection.execute(select(c.model_id).where(c.source_id == model_id).order_by(c.model_id)).scalars()
    unfinished = select(runs.c.body).where(runs.c.status.not_in(ENDED)).order_by(runs.c.id)
    waiting = map(Run.model_validate_json, connection.execute(unfinished).scalars())
    return [*made, *(run.id for run in waiting if model_id in _needs(run))]


def _sources(model: Model) -> set[str]:
    """Ids of the models that this one was made from: its parents, and the leaves of its recipe."""
    recipes: list[Recipe] = []
    if isinstance(model.origin, MergeOrigin):
        recipes.append(model.origin.recipe)
    elif isinstance(model.origin, TrainingOrigin) and model.origin.initial is not None:
        recipes.append(model.origin.initial)
    used = {node.model_id for recipe in recipes for node in nodes(recipe) if isinstance(node, Leaf)}
    return {*model.parents, *used}


def _needs(run: Run) -> set[str]:
    """Ids of the models that an unfinished run reads: what it breeds or merges, and what it has made so far."""
    merged = needed(run.merge) if run.merge is not None else ()
    return {*run.model_ids, *merged, *(run.evomerge.parents if run.evomerge is not None else ())}


def page(
    connection: Connection,
    *,
    kind: ModelKind | None,
    run_id: str | None,
    search: str | None,
    sort: Sort,
    cursor: str | None,
    limit: int,
) -> tuple[list[Model], str | None]:
    """A keyset page: stable while models come and go."""
    column = models.c[sort.removeprefix("-")]
    key = tuple_(column, models.c.id)
    descending = sort.startswith("-")
    query = select(models.c.body, column, models.c.id)
    query = query.order_by(column.desc(), models.c.id.desc()) if descending else query.order_by(column, models.c.id)
    if kind is not None:
        query = query.where(models.c.kind == kind)
    if run_id is not None:
        query = query.where(models.c.run_id == run_id)
    if search is not None:
        query = query.where(
            models.c.name.contains(search, autoescape=True) | models.c.id.contains(search, autoescape=True)
        )
    if cursor is not None:
        last = cursors.decode(cursor, int if column is models.c.bytes else str, str)
        query = query.where(key < last if descending else key > last)
    rows = connection.execute(query.limit(limit + 1)).all()
    more = cursors.encode(rows[limit - 1][1], rows[limit - 1][2]) if len(rows) > limit else None
    return [Model.model_validate_json(row[0]) for row in rows[:limit]], more
