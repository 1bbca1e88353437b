"""Models that people bring: from the first file to the registered model.

Receiving happens in requests, checking in a task of its own: to read and hash gigabytes takes longer than a request
may. What has come lies on disk (`registry.bundle.arrival`); here is only what is going on at the moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from ..background.tasks import Tasks
from ..contract.architecture import CausalLM
from ..contract.base import now
from ..contract.imports import ImportFault, ImportFile, ImportRequest, ModelImport
from ..contract.job import ModelDraft
from ..contract.model import Model, ModelKind, Tokenizer
from ..contract.recipe import ImportOrigin, MergeOrigin, Recipe
from ..registry.bundle import hub
from ..registry.bundle.adapter import adapter_settings
from ..registry.bundle.arrival import Arrival
from ..registry.bundle.documents import ADAPTER, kind_of, left_out
from ..registry.bundle.inspection import Inspected, inspect
from ..registry.bundle.linking import files_of, folder_below
from ..registry.bundle.placement import described, place_folder
from ..registry.errors import IncompleteModelError, RegistryError
from ..registry.files import ModelFiles
from ..registry.placement import model_id as id_of
from ..settings import Settings
from ..store import model_rows
from ..store.database import Database
from ..store.errors import Refusal
from ..store.faults import store_fault
from ..store.recognition import recognised_here
from ..supervision.interactive import InteractiveClient
from ..versions import versions

DIRECTORY, RECIPE = "imported", "recipe.json"
_RECIPE: TypeAdapter[Recipe] = TypeAdapter(Recipe)


@dataclass
class _Going:
    """An import that a task works on, or has ended with."""

    status: str
    checked_bytes: int = 0
    files: list[ImportFile] = field(default_factory=list)
    """Of a folder or a repository; those of an upload lie on disk."""
    fault: ImportFault | None = None


class ImportService:
    """Implements `api.services.ImportService`."""

    def __init__(
        self, settings: Settings, database: Database, files: ModelFiles, process: InteractiveClient, tasks: Tasks
    ) -> None:
        self._settings, self._database, self._files = settings, database, files
        self._process, self._tasks = process, tasks
        self._going: dict[str, _Going] = {}
        self._receiving: set[tuple[str, str]] = set()

    async def ask(self, request: ImportRequest) -> ModelImport:
        """Begin an import, or take up the one of this name."""
        import_id = _import_id(request.name)
        if await run_in_threadpool(self._registered, import_id) is not None:
            raise Refusal("name_taken", f"there is an imported model {request.name} already")
        going = self._going.get(import_id)
        if going is not None and going.status == "checking":
            raise Refusal("conflict", f"{request.name} is being checked")
        if any(one == import_id for one, _ in self._receiving):
            raise Refusal("conflict", f"a file of {request.name} is being received")
        if going is not None and going.status == "receiving":
            raise Refusal("conflict", f"{request.name} is being fetched")
        self._going.pop(import_id, None)
        begun = await run_in_threadpool(self._ask, import_id, request)
        return begun if request.source.kind == "upload" else self._fetch(import_id, request, begun)

    async def get(self, import_id: str) -> ModelImport:
        found = await run_in_threadpool(self._get, import_id)
        if found.source != "upload" and found.status == "receiving" and import_id not in self._going:
            # this process was started anew since: what it was fetching it fetches again
            _, request = await run_in_threadpool(self._asked, import_id)
            return self._fetch(import_id, request, found)
        return found

    async def receive(self, import_id: str, name: str, offset: int, chunks: AsyncIterator[bytes]) -> ImportFile:
        """One file, or the rest of it. What came before an error or a cut connection stays."""
        _, request = await run_in_threadpool(self._asked, import_id)
        going = self._going.get(import_id)
        if going is not None and going.status == "checking":
            raise Refusal("conflict", f"{request.name} is being checked")
        if (import_id, name) in self._receiving:
            raise Refusal("conflict", f"{name} is being received by another request")
        self._going.pop(import_id, None)
        self._receiving.add((import_id, name))
        try:
            return await self._receive(import_id, request, name, offset, chunks)
        finally:
            self._receiving.discard((import_id, name))

    async def finish(self, import_id: str) -> ModelImport:
        """Check what has come and make it a model, in the background."""
        arrival, request = await run_in_threadpool(self._asked, import_id)
        going = self._going.get(import_id)
        if request.source.kind == "upload" and (going is None or going.status == "failed"):
            waiting = [file for file in arrival.state(request) if file.left_out is None and file.received < file.bytes]
            if waiting:
                first = waiting[0]
                more = f" and {len(waiting) - 1} other files" if len(waiting) > 1 else ""
                raise Refusal("conflict", f"{first.name} has {first.received} of {first.bytes} bytes{more}")
            self._going[import_id] = begun = _Going("checking")
            self._tasks.once(f"import {request.name}", self._check(arrival, request, begun))
        return await self.get(import_id)

    async def discard(self, import_id: str) -> None:
        arrival, request = await run_in_threadpool(self._asked, import_id)
        going = self._going.get(import_id)
        if going is not None and going.status == "checking":
            raise Refusal("conflict", f"{request.name} is being checked")
        if any(one == import_id for one, _ in self._receiving):
            raise Refusal("conflict", f"a file of {request.name} is being received")
        self._going.pop(import_id, None)
        await run_in_threadpool(arrival.discard)

    def _fetch(self, import_id: str, request: ImportRequest, begun: ModelImport) -> ModelImport:
        self._going[import_id] = going = _Going("receiving")
        arrival = Arrival(self._files, import_id)
        self._tasks.once(f"import {request.name}", self._check(arrival, request, going, fetched=False))
        return begun

    def _bring(self, arrival: Arrival, request: ImportRequest, going: _Going) -> None:
        """Link the files of a folder or a repository, one after the other."""
        limit, source = self._settings.max_import_bytes, request.source
        if source.kind == "folder":
            folder, root = folder_below(source.path, self._settings.model_roots)
            found = files_of(folder, root, limit_bytes=limit)
            path_of = {file.name: file.path for file in found}.__getitem__
        elif source.kind == "hub":
            known = hub.repository(source.repository, source.revision, limit_bytes=limit)
            found, path_of = known.files, partial(hub.fetch, known)
        else:
            raise TypeError("the files of an upload come by requests")
        states = {
            file.name: ImportFile(name=file.name, bytes=file.bytes, received=0, left_out=file.left_out)
            for file in found
        }
        going.files = list(states.values())
        self._files.require_space(sum(file.bytes for file in found if file.left_out is None))
        for file in found:
            if file.left_out is None:
                arrival.link(file.name, path_of(file.name))
                states[file.name] = states[file.name].model_copy(update={"received": file.bytes})
                going.files = list(states.values())
        going.status = "checking"

    def _ask(self, import_id: str, request: ImportRequest) -> ModelImport:
        # before anything is written: a name that has no place is refused at once
        self._files.inside(f"{DIRECTORY}/{request.name}")
        arrival = Arrival(self._files, import_id)
        known = arrival.asked()
        arrival.ask(request, known[1] if known is not None else now())
        missing = sum(file.bytes - file.received for file in arrival.state(request) if file.left_out is None)
        self._files.require_space(missing)
        return self._get(import_id)

    def _get(self, import_id: str) -> ModelImport:
        asked = Arrival(self._files, import_id).asked() if _is_id(import_id) else None
        model = self._registered(import_id)
        if model is not None:
            return ModelImport(
                id=import_id,
                name=model.name,
                status="succeeded",
                source=asked[0].source.kind if asked is not None else "upload",
                files=[],
                checked_bytes=sum(file.bytes for file in model.files),
                model_id=model.id,
                fault=None,
                created_at=asked[1] if asked is not None else model.created_at,
            )
        if asked is None:
            raise Refusal("not_found", f"there is no import {import_id}")
        request, created_at = asked
        going = self._going.get(import_id) or _Going("receiving")
        return ModelImport.model_validate(
            {
                "id": import_id,
                "name": request.name,
                "status": going.status,
                "source": request.source.kind,
                "files": going.files or Arrival(self._files, import_id).state(request),
                "checked_bytes": going.checked_bytes,
                "model_id": None,
                "fault": going.fault,
                "created_at": created_at,
            }
        )

    def _asked(self, import_id: str) -> tuple[Arrival, ImportRequest]:
        if self._registered(import_id) is not None:
            raise Refusal("conflict", f"the import {import_id} is a model already")
        arrival = Arrival(self._files, import_id)
        asked = arrival.asked() if _is_id(import_id) else None
        if asked is None:
            raise Refusal("not_found", f"there is no import {import_id}")
        return arrival, asked[0]

    def _registered(self, import_id: str) -> Model | None:
        if not _is_id(import_id):
            return None
        with self._database.read() as connection:
            return model_rows.find(connection, f"mdl_{import_id.removeprefix('imp_')}")

    async def _receive(
        self, import_id: str, request: ImportRequest, name: str, offset: int, chunks: AsyncIterator[bytes]
    ) -> ImportFile:
        arrival = Arrival(self._files, import_id)
        offered = arrival.offered(request)
        if name not in offered:
            why = left_out(name) if kind_of(name) is None else "was not among the files that were offered"
            raise Refusal("bad_model_file", f"{name[:200]!r} {why}")
        size = offered[name]
        received = await run_in_threadpool(arrival.received, name)
        if received < size or size == 0:
            limit = self._settings.max_import_bytes
            incoming = await run_in_threadpool(arrival.receive, name, size, offset, limit_bytes=limit)
            with incoming:
                async for chunk in chunks:
                    if chunk:
                        await run_in_threadpool(incoming.write, chunk)
                await run_in_threadpool(incoming.finish)
            received = await run_in_threadpool(arrival.received, name)
        return ImportFile(name=name, bytes=size, received=received, left_out=None)

    async def _check(self, arrival: Arrival, request: ImportRequest, going: _Going, *, fetched: bool = True) -> None:
        try:
            if not fetched:
                await run_in_threadpool(self._bring, arrival, request, going)
            await self._make(arrival, request, going)
        except (RegistryError, Refusal) as error:
            detail = error.detail if isinstance(error, Refusal) else str(error)
            going.fault = ImportFault(code=error.code, detail=detail, hint=getattr(error, "hint", None))
            going.status = "failed"
        except Exception as error:
            fault = store_fault(error)
            code, hint = (fault.code, fault.hint) if fault is not None else ("internal_error", None)
            going.fault = ImportFault(code=code, detail=f"{type(error).__name__}: {error}", hint=hint)
            going.status = "failed"
            raise
        else:
            self._going.pop(_import_id(request.name), None)

    async def _make(self, arrival: Arrival, request: ImportRequest, going: _Going) -> None:
        if request.base is not None:
            await self._merge_onto(arrival, request, going)
            await run_in_threadpool(arrival.discard)
            return
        if not await run_in_threadpool(arrival.folder.is_dir):
            # moved to its place, and then something ended this process before the row was written
            model = await run_in_threadpool(described, self._files, f"{DIRECTORY}/{request.name}")
        else:
            found, names = await run_in_threadpool(self._inspect, arrival, request, going)
            if ADAPTER in names:
                raise IncompleteModelError("it is an adapter and no model: name the `base` that it is merged onto")
            apart = [name for name in names if (kind := kind_of(name)) is not None and kind.checked_apart]
            tokenizer = None
            if apart or "tokenizer.model" in names:
                answer = await self._process.ask("read_documents", folder=str(arrival.folder), names=names)
                tokenizer = Tokenizer.model_validate(answer) if answer is not None else None
            told = None
            if RECIPE in names:
                told = await self._process.ask("read_recipe", folder=str(arrival.folder))
            made_of = await run_in_threadpool(self._recognised, told) if told is not None else None
            model = await run_in_threadpool(self._place, arrival, request, found, tokenizer, None, made_of)
        await run_in_threadpool(self._register, model)
        await run_in_threadpool(arrival.discard)

    async def _merge_onto(self, arrival: Arrival, request: ImportRequest, going: _Going) -> None:
        """An adapter and its base become a model; the adapter is kept, for the model to be made from it again."""
        base = await run_in_threadpool(self._base, request)
        if await run_in_threadpool(arrival.folder.is_dir):
            found, names = await run_in_threadpool(self._inspect, arrival, request, going)
            if ADAPTER not in names:
                raise IncompleteModelError("a base is named, and there is a model: a base is for an adapter")
            # what it says is checked before anything is moved
            await run_in_threadpool(adapter_settings, arrival.folder)
            adapter = await run_in_threadpool(self._place, arrival, request, found, None, f"{request.name}.adapter")
        else:
            # moved to its place, and then something ended this process
            adapter = await run_in_threadpool(described, self._files, f"{DIRECTORY}/{request.name}.adapter")
        try:
            asked = {"base": base.model_dump(mode="json"), "adapter": adapter.model_dump(mode="json")}
            answer = await self._process.ask("apply_adapter", name=request.name, **asked)
        except (RegistryError, Refusal):
            await run_in_threadpool(self._files.inside(adapter.folder or "").rename, arrival.folder)
            raise
        await run_in_threadpool(self._register, adapter, Model.model_validate(answer))

    def _recognised(self, told: Mapping[str, Any]) -> tuple[Recipe, list[str]]:
        with self._database.read() as connection:
            return recognised_here(connection, _RECIPE.validate_python(told))

    def _base(self, request: ImportRequest) -> Model:
        with self._database.read() as connection:
            found = model_rows.named(connection, request.base or "")
        if len(found) != 1:
            many = f"{len(found)} models have the name" if found else "there is no model"
            raise Refusal("not_found", f"{many} {request.base}: name the base by its id")
        if not isinstance(found[0].architecture, CausalLM) or found[0].folder is None:
            raise Refusal("bad_model_file", f"{found[0].name} is no causal language model in a folder of its own")
        return found[0]

    def _inspect(self, arrival: Arrival, request: ImportRequest, going: _Going) -> tuple[Inspected, list[str]]:
        def read(count: int) -> None:
            going.checked_bytes += count

        names = arrival.names()
        left = [file.name for file in going.files or arrival.state(request) if file.left_out is not None]
        return inspect(arrival.folder, names, left_out=left, read=read), names

    def _place(
        self,
        arrival: Arrival,
        request: ImportRequest,
        found: Inspected,
        tokenizer: Tokenizer | None,
        name: str | None = None,
        made_of: tuple[Recipe, list[str]] | None = None,
    ) -> Model:
        draft = ModelDraft(
            name=name or request.name,
            directory=DIRECTORY,
            kind=ModelKind.imported,
            specialization=None,
            architecture=found.architecture,
            origin=ImportOrigin(filename=request.name) if made_of is None else MergeOrigin(recipe=made_of[0]),
            parents=[] if made_of is None else made_of[1],
            metrics={},
        )
        return place_folder(
            draft,
            arrival.folder,
            found,
            files=self._files,
            run_id=None,
            tokenizer=tokenizer,
            versions=versions(),
            time=now(),
        )

    def _register(self, *models: Model) -> None:
        with self._database.write() as tx:
            for model in models:
                model_rows.add(tx, model)


def _import_id(name: str) -> str:
    """Of the same digits as the model's: one name, one import, one model."""
    return f"imp_{id_of(None, name).removeprefix('mdl_')}"


def _is_id(import_id: str) -> bool:
    digits = import_id.removeprefix("imp_")
    return digits != import_id and len(digits) == 24 and all(digit in "0123456789abcdef" for digit in digits)
