"""Files proved before their use; where one fails, its model's page says so as if a verification had found it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from ..contract.model import Model
from ..contract.recipe import Leaf, Recipe
from ..evomerge.recipe.tree import nodes
from ..registry.errors import FileDiffersError, FileMissingError
from ..registry.files import ModelFiles
from ..registry.proof import Proofs, failed
from . import model_rows
from .database import Database

log = logging.getLogger(__name__)


class Proving:
    """Raises FileMissingError and FileDiffersError, after they are recorded. Not within a transaction."""

    def __init__(self, files: ModelFiles, database: Database) -> None:
        self.proofs, self._database = Proofs(files), database

    def weights(self, model: Model) -> list[Path]:
        """The model's safetensors files, their bytes proved."""
        with self.telling(model):
            return self.proofs.weights(model)

    def tell_leaves(self, recipe: Recipe) -> None:
        """Records the leaves whose files fail, and raises nothing: whoever makes the recipe may rebuild such a leaf."""
        ids = sorted({node.model_id for node in nodes(recipe) if isinstance(node, Leaf)})
        with self._database.read() as connection:
            found = model_rows.find_many(connection, ids)
        for model in found.values():
            try:
                self.weights(model)
            except (FileMissingError, FileDiffersError) as error:
                log.warning("a leaf cannot be used: %s", error)

    @contextmanager
    def telling(self, model: Model) -> Iterator[None]:
        """Wraps a proof of the model's file: one that fails is recorded as a verification."""
        start = perf_counter()
        try:
            yield
        except (FileMissingError, FileDiffersError) as error:
            verification = failed(model, error, perf_counter() - start)
            with self._database.write() as tx:
                known = model_rows.find(tx.connection, model.id)
                # once: a client that asks again for a file that is gone changes nothing
                if known is not None and known.verified is not False:
                    model_rows.verified(tx, verification)
            raise
