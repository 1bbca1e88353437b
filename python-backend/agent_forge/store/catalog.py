"""Registered models as merge configurations know them: by name, with the tensors that their headers tell of."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import Connection, select

from ..contract.model import Model, ModelKind
from ..contract.recipe import Leaf, Recipe
from ..evomerge.stack import Stack, stack_of
from ..merges.configuration import ModelReference
from ..merges.conversion import Model as Known
from ..merges.dtypes import combined_dtype
from ..merges.errors import NotExpressible
from ..merges.export import exported
from ..merges.outline import FLOATS
from ..registry.bundle.weights import specs_of
from ..registry.errors import RegistryError
from ..registry.files import ModelFiles
from ..registry.header import TensorSpec, read_header
from . import model_rows
from .schema import models

_MOST_NAMED = 5
"""Ids that a message names."""


class Catalog:
    """Implements `merges.plan.Library`; what was found is kept for as long as it lives."""

    def __init__(self, connection: Connection, files: ModelFiles) -> None:
        self._connection, self._files = connection, files
        self._specs: dict[str, Mapping[str, TensorSpec]] = {}

    def find(self, model_id: str) -> Model | None:
        return model_rows.find(self._connection, model_id)

    def named(self, reference: ModelReference) -> Model:
        """By id, by name; a folder or `owner/name` by the name that it was brought under. Raises `LookupError`."""
        path = reference.path.rstrip("/")
        if reference.revision is not None:
            raise LookupError("the revision of what was imported is not known here: name the model by its id")
        found = self.find(path) or self._only(path, imported=False)
        if found is None and "/" in path:
            found = self._only(_imported_as(path), imported=True)
        if found is None:
            brought = f", nor one imported as {_imported_as(path)}" if "/" in path else ""
            raise LookupError(f"there is no registered model of this id or name{brought}: import it first")
        return found

    def _only(self, name: str, *, imported: bool) -> Model | None:
        query = select(models.c.id).where(models.c.name == name).order_by(models.c.id)
        if imported:
            query = query.where(models.c.kind == ModelKind.imported)
        ids = list(self._connection.execute(query).scalars())
        if len(ids) > 1:
            raise LookupError(f"{len(ids)} models have this name, name one by its id: {', '.join(ids[:_MOST_NAMED])}")
        return self.find(ids[0]) if ids else None

    def specs(self, model: Model) -> Mapping[str, TensorSpec]:
        if model.id not in self._specs:
            self._specs[model.id] = specs_of({path.name: read_header(path) for path in self._files.weights(model)})
        return self._specs[model.id]

    def known(self, model: Model) -> Known:
        _, stack, dtype = self._described(model)
        return Known(Leaf(model_id=model.id, digest=model.digest), stack, dtype)

    def mergekit(self, recipe: Recipe) -> tuple[str | None, str | None]:
        """The recipe in mergekit's words, or why there are none."""
        try:
            return exported(recipe, self._directory), None
        except (NotExpressible, LookupError, RegistryError) as error:
            return None, f"{error.args[0]}"

    def _directory(self, leaf: Leaf) -> tuple[str, Stack, str]:
        model = self.find(leaf.model_id)
        if model is None:
            raise LookupError(f"{leaf.model_id}, which it is made from, is not registered any more")
        return self._described(model)

    def _described(self, model: Model) -> tuple[str, Stack, str]:
        specs = self.specs(model)
        floats = [FLOATS[spec.dtype] for spec in specs.values() if spec.dtype in FLOATS]
        if not floats:
            raise LookupError(f"{model.name} has no tensor of {', '.join(FLOATS)}")
        return self._name(model), stack_of(specs), combined_dtype(floats)

    def _name(self, model: Model) -> str:
        """Its name where that alone tells it from all others, and is read as it is written."""
        try:
            alone = self._only(model.name, imported=False) is not None
        except LookupError:
            alone = False
        return model.name if alone and self.find(model.name) is None else model.id


def _imported_as(path: str) -> str:
    """The name that `forge import` and the dashboard give a folder or a repository."""
    last = path.rpartition("/")[2]
    return re.sub(r"^[^A-Za-z0-9]+", "", re.sub(r"[^A-Za-z0-9._-]+", "_", last))[:128]
