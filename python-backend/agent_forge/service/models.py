"""Models for the API: the registry's files and the store's rows together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool

from ..contract.architecture import ModuleParameters, TinyTitan, parameter_table, tensor_shapes
from ..contract.base import now
from ..contract.evomerge import Candidate
from ..contract.model import (
    Lineage,
    Model,
    ModelDetail,
    ModelKind,
    Verification,
    VerifyRequest,
)
from ..contract.pages import ModelPage
from ..contract.prediction import (
    PredictedToken,
    Prediction,
    PredictionEnded,
    PredictionPart,
    PredictRequest,
)
from ..contract.recipe import MergeOrigin
from ..registry.architecture import modules
from ..registry.bundle.causal_lm import model_type_of
from ..registry.bundle.weights import specs_of
from ..registry.download import Download, download
from ..registry.errors import RegistryError
from ..registry.files import ModelFiles
from ..registry.header import read_header
from ..registry.lineage import lineage
from ..registry.placement import model_id as id_of
from ..registry.placement import read_metadata
from ..registry.upload import Upload
from ..settings import Settings
from ..store import model_rows, result_rows
from ..store.catalog import Catalog
from ..store.database import Database
from ..store.errors import Refusal
from ..store.proving import Proving
from ..store.recognition import recognised_here
from ..supervision.interactive import InteractiveClient
from ..versions import versions

log = logging.getLogger(__name__)


class ModelService:
    """Implements `api.services.ModelService`."""

    def __init__(
        self, settings: Settings, database: Database, files: ModelFiles, proving: Proving, process: InteractiveClient
    ) -> None:
        self._settings, self._database, self._files = settings, database, files
        self._proving, self._process = proving, process

    def page(
        self,
        *,
        kind: ModelKind | None,
        run_id: str | None,
        search: str | None,
        sort: model_rows.Sort,
        cursor: str | None,
        limit: int,
    ) -> ModelPage:
        with self._database.read() as connection:
            items, more = model_rows.page(
                connection, kind=kind, run_id=run_id, search=search, sort=sort, cursor=cursor, limit=limit
            )
        return ModelPage(items=items, next_cursor=more)

    def get(self, model_id: str) -> ModelDetail:
        model = self._found(model_id)
        if isinstance(model.architecture, TinyTitan):
            table = parameter_table(tensor_shapes(model.architecture))
        else:
            table = self._modules(model)
        return ModelDetail(
            **model.model_dump(exclude={"architecture", "origin"}),
            architecture=model.architecture,
            origin=model.origin,
            modules=table,
            metadata=read_metadata(self._files, model),
        )

    def lineage(self, model_id: str) -> Lineage:
        model = self._found(model_id)
        with self._database.read() as connection:
            return lineage(model, lambda wanted: model_rows.find(connection, wanted))

    def mergekit(self, model_id: str) -> str:
        model = self._found(model_id)
        if not isinstance(model.origin, MergeOrigin):
            raise Refusal("not_expressible", f"{model.name} is {model.origin.kind}, not merged: it has no recipe")
        with self._database.read() as connection:
            words, why_not = Catalog(connection, self._files).mergekit(model.origin.recipe)
        if words is None:
            raise Refusal("not_expressible", f"{model.name}: {why_not}")
        return words

    async def file(self, model_id: str, file_format: Literal["safetensors", "pt"]) -> tuple[Path, str, str]:
        model = await run_in_threadpool(self._found, model_id)
        found = await run_in_threadpool(self._download, model, file_format)
        if found is None:
            await run_in_threadpool(self._proving.weights, model)
            await self._process.ask("export", model=model.model_dump(mode="json"))
            found = await run_in_threadpool(self._download, model, file_format)
        if not isinstance(found, Download):
            raise Refusal("file_missing", f"{model.name}: the {file_format} file could not be made")
        return found.path, found.filename, found.etag

    def folder(self, model_id: str) -> tuple[str, list[Path]]:
        """Name and files of a model that is a folder, their bytes proved."""
        model = self._found(model_id)
        if model.folder is None:
            raise Refusal("not_a_folder", f"{model.name} is a single file, not a folder")
        with self._proving.telling(model):
            return model.name, [self._proving.proofs.file(model, file) for file in model.files]

    def file_named(self, model_id: str, name: str) -> tuple[Path, str]:
        """A file of the model's folder, its bytes proved, and its tag."""
        model = self._found(model_id)
        for file in model.files:
            if file.path == f"{model.folder}/{name}":
                with self._proving.telling(model):
                    return self._proving.proofs.file(model, file), f'"{file.file_sha256}"'
        raise Refusal("not_found", f"{model.name} has no file {name}")

    def delete(self, model_id: str) -> None:
        with self._database.write() as tx:
            model = model_rows.find(tx.connection, model_id)
            if model is None:
                raise Refusal("not_found", f"there is no model {model_id}")
            users = model_rows.users(tx.connection, model_id)
            if users:
                shown = ", ".join(users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
                raise Refusal("model_in_use", f"{model.name} is needed by {shown}")
            model_rows.remove(tx, model)
        # The row first: a file without a row is waste, a row without a file would be a lie.
        self._files.remove(model)

    async def upload(self, name: str, chunks: AsyncIterator[bytes]) -> Model:
        with self._database.read() as connection:
            if model_rows.find(connection, id_of(None, name)) is not None:
                raise Refusal("name_taken", f"an imported model named {name} already exists")
        with Upload(self._files, name, limit_bytes=self._settings.max_import_bytes) as upload:
            async for chunk in chunks:
                if chunk:
                    await run_in_threadpool(upload.write, chunk)
            return await run_in_threadpool(self._finish, upload)

    async def verify(self, model_id: str, options: VerifyRequest) -> Verification:
        model = await run_in_threadpool(self._found, model_id)
        if options.rebuild and isinstance(model.origin, MergeOrigin):
            await run_in_threadpool(self._proving.tell_leaves, model.origin.recipe)
        answer = await self._process.ask(
            "verify", model=model.model_dump(mode="json"), options=options.model_dump(mode="json")
        )
        return await run_in_threadpool(self._record, Verification.model_validate(answer))

    async def predict(self, model_id: str, request: PredictRequest) -> Prediction:
        told = [part.root async for part in await self.predicted(model_id, request)]
        ended = told[-1]
        assert isinstance(ended, PredictionEnded)  # noqa: S101 - else something was raised
        return Prediction(
            model_id=model_id,
            prompt=request.prompt,
            tokens=[part for part in told if isinstance(part, PredictedToken)],
            **ended.model_dump(exclude={"type"}),
        )

    async def predicted(self, model_id: str, request: PredictRequest) -> AsyncIterator[PredictionPart]:
        model = await run_in_threadpool(self._found, model_id)
        await run_in_threadpool(self._proving.weights, model)
        parts = self._process.parts(
            "predict", model=model.model_dump(mode="json"), request=request.model_dump(mode="json")
        )
        return _from(await anext(parts), parts)

    async def verify_candidate(self, candidate_id: str) -> Verification:
        candidate = await run_in_threadpool(self._candidate, candidate_id)
        await run_in_threadpool(self._proving.tell_leaves, candidate.recipe)
        answer = await self._process.ask("verify_candidate", candidate=candidate.model_dump(mode="json"))
        # Answered, not recorded: a candidate is not a model, so there is no row to mark and no `model.verified` event.
        return Verification.model_validate(answer)

    async def materialize(self, candidate_id: str) -> Model:
        candidate = await run_in_threadpool(self._candidate, candidate_id)
        existing = await run_in_threadpool(self._kept, candidate)
        if existing is not None:
            return existing
        await run_in_threadpool(self._proving.tell_leaves, candidate.recipe)
        answer = await self._process.ask("materialize", candidate=candidate.model_dump(mode="json"))
        return await run_in_threadpool(self._add, Model.model_validate(answer))

    def _download(self, model: Model, file_format: Literal["safetensors", "pt"]) -> Download | None:
        with self._proving.telling(model):
            return download(self._proving.proofs, model, file_format)

    def _modules(self, model: Model) -> list[ModuleParameters]:
        """None where the file cannot be read: the page must still open, and say so."""
        try:
            headers = {path.name: read_header(path) for path in self._files.weights(model)}
            return modules(specs_of(headers), model_type_of(model.architecture))
        except (RegistryError, OSError) as error:
            log.warning("%s: its file cannot be read: %s", model.id, error)
            return []

    def _found(self, model_id: str) -> Model:
        with self._database.read() as connection:
            model = model_rows.find(connection, model_id)
        if model is None:
            raise Refusal("not_found", f"there is no model {model_id}")
        return model

    def _candidate(self, candidate_id: str) -> Candidate:
        with self._database.read() as connection:
            candidate = result_rows.find_candidate(connection, candidate_id)
        if candidate is None:
            raise Refusal("not_found", f"there is no candidate {candidate_id}")
        return candidate

    def _kept(self, candidate: Candidate) -> Model | None:
        """The candidate as a registered model, where it is one already."""
        with self._database.read() as connection:
            return model_rows.find_candidate(connection, candidate.run_id, candidate.id)

    def _finish(self, upload: Upload) -> Model:
        told, recipe, parents = upload.recipe, None, list[str]()
        if told is not None:
            with self._database.read() as connection:
                recipe, parents = recognised_here(connection, told)
        return self._add(upload.finish(versions=versions(), time=now(), recipe=recipe, parents=parents))

    def _add(self, model: Model) -> Model:
        with self._database.write() as tx:
            if not model_rows.add(tx, model):
                existing = model_rows.find(tx.connection, model.id)
                assert existing is not None  # noqa: S101 - add has just said so
                return existing
        return model

    def _record(self, verification: Verification) -> Verification:
        with self._database.write() as tx:
            model_rows.verified(tx, verification)
        return verification


async def _from(first: Any, parts: AsyncIterator[Any]) -> AsyncIterator[PredictionPart]:
    yield PredictionPart.model_validate(first)
    async for part in parts:
        yield PredictionPart.model_validate(part)
