"""The process behind verify, predict, materialise and `.pt`: torch without waiting for a long run.

Requests come one per line on stdin, `{"id", "op", …}`; answers go up as `{"id", "result"}` or `{"id", "refusal"}`, what
is told before them as `{"id", "part"}`. `{"op": "stop", "of"}` ends what tells parts.
It reads the database and writes model files; rows belong to the API process.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel

from .. import logs
from ..causal_lm.errors import NotRunnable
from ..cognate.errors import InvalidSetting
from ..contract.architecture import Architecture, TinyTitan, fitted
from ..contract.base import now
from ..contract.evomerge import Candidate
from ..contract.job import ModelDraft
from ..contract.model import Check, Model, ModelKind, Verification, VerifyRequest
from ..contract.prediction import PredictRequest
from ..contract.recipe import MergeOrigin, TrainingOrigin
from ..evomerge.errors import MergeRefused
from ..registry.download import export
from ..registry.errors import RegistryError
from ..registry.files import ModelFiles
from ..registry.leaves import leaves
from ..registry.rebuild import RecipeRebuilder, Tensors
from ..registry.store import convert_to_pt, store
from ..registry.tensors import shapes_of
from ..registry.verify import verify_candidate, verify_model
from ..settings import Settings
from ..store import model_rows
from ..store.catalog import Catalog
from ..store.database import Database
from ..store.errors import Refusal
from ..versions import versions
from . import wiring
from .adapted import adapted
from .documents import read_documents, read_recipe
from .pipe import Upward, listen
from .playground import Playground

log = logging.getLogger(__name__)


class Interactive:
    """One request after another. Ends after a long idle time, or when stdin ends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pipe = Upward()
        self._database = Database(settings.database, busy_seconds=settings.database_busy_seconds)
        self._files = ModelFiles(settings.models, settings.disk_reserve_bytes)
        self._requests: queue.Queue[dict[str, Any]] = queue.Queue()
        materialise = wiring.materialiser(settings, self._find)
        self._rebuilder = RecipeRebuilder(self._files, self._find, materialise, wiring.redraw)
        self._retrainer = RecipeRebuilder(self._files, self._find, materialise, self._retrain)
        self._playground = Playground(settings, self._files, self._find)
        self._begun = 0
        """The newest request that was begun: ids rise."""
        self._stopped: set[int] = set()
        self._operations: dict[str, Callable[[dict[str, Any]], Any]] = {
            "verify": self._verify,
            "verify_candidate": self._verify_candidate,
            "predict": self._predict,
            "materialize": self._materialize,
            "export": self._export,
            "read_documents": self._read_documents,
            "read_recipe": self._read_recipe,
            "apply_adapter": self._apply_adapter,
        }

    def serve(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self._settings.threads is not None:
            torch.set_num_threads(self._settings.threads)
        # Nothing half done needs saving: files appear by rename and rows belong to another process.
        listen(self._receive, lambda: os._exit(0))
        while True:
            try:
                request = self._requests.get(timeout=self._settings.interactive_idle_seconds)
            except queue.Empty:
                return
            self._pipe.send(self._answer(request))

    def _receive(self, request: dict[str, Any]) -> None:
        """On the thread that reads stdin. What has been answered needs no stopping."""
        if request["op"] != "stop":
            self._requests.put(request)
        elif request["of"] >= self._begun:
            self._stopped.add(request["of"])

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self._begun = request["id"]
        try:
            result = self._operations[request["op"]](request)
            if isinstance(result, Iterator):
                self._tell(request["id"], result)
                result = None
        except Refusal as error:
            return _refused(request, error.code, error.detail)
        except (RegistryError, MergeRefused, NotRunnable) as error:
            return _refused(request, error.code, str(error))
        except InvalidSetting as error:
            return _refused(request, "invalid_request", str(error))
        except Exception as error:
            log.exception("request failed", extra={"op": request["op"]})
            return _refused(request, "internal_error", f"{type(error).__name__}: {error}")
        finally:
            self._stopped.discard(request["id"])
        return {
            "id": request["id"],
            "result": result.model_dump(mode="json") if isinstance(result, BaseModel) else result,
        }

    def _tell(self, request: int, parts: Iterator[BaseModel]) -> None:
        """Each part as soon as it is there, until nobody wants more."""
        told = 0
        while request not in self._stopped:
            part = next(parts, None)
            if part is None:
                return
            self._pipe.send({"id": request, "part": part.model_dump(mode="json")})
            told += 1
        log.info("stopped after %d parts: nobody waits for more", told)

    def _find(self, model_id: str) -> Model | None:
        with self._database.read() as connection:
            return model_rows.find(connection, model_id)

    def _verify(self, request: dict[str, Any]) -> BaseModel:
        model = Model.model_validate(request["model"])
        options = VerifyRequest.model_validate(request["options"])
        rebuilder = self._retrainer if options.replay else self._rebuilder if options.rebuild else None
        return _with_versions(verify_model(model, self._files, rebuilder), model.versions)

    def _retrain(self, origin: TrainingOrigin) -> Tensors:
        initial = self._retrainer.tensors(origin.initial) if origin.initial is not None else None
        return wiring.retrain(origin, initial, self._settings)

    def _verify_candidate(self, request: dict[str, Any]) -> BaseModel:
        return verify_candidate(Candidate.model_validate(request["candidate"]), self._rebuilder)

    def _predict(self, request: dict[str, Any]) -> Iterator[BaseModel]:
        model = Model.model_validate(request["model"])
        return self._playground.answer(model, PredictRequest.model_validate(request["request"]))

    def _materialize(self, request: dict[str, Any]) -> BaseModel:
        candidate = Candidate.model_validate(request["candidate"])
        tensors = self._rebuilder.tensors(candidate.recipe)
        with self._database.read() as connection:
            words, _ = Catalog(connection, self._files).mergekit(candidate.recipe)
        parents = list(dict.fromkeys(leaf.model_id for leaf in leaves(candidate.recipe)))
        first = self._find(parents[0])
        draft = ModelDraft(
            name=f"candidate_{candidate.run_id}_g{candidate.generation}_s{candidate.slot}",
            directory=f"evomerge/{candidate.run_id}",
            kind=ModelKind.merged,
            specialization=None,
            architecture=_architecture(first, tensors),
            documents=first.folder if first is not None else None,
            tokenizer=first.tokenizer if first is not None else None,
            origin=MergeOrigin(run_id=candidate.run_id, candidate_id=candidate.id, recipe=candidate.recipe),
            parents=parents,
            metrics={"fitness": candidate.fitness.total},
            mergekit=words,
        )
        model = store(draft, tensors, files=self._files, run_id=candidate.run_id, versions=versions(), time=now())
        if model.digest != candidate.digest:
            self._files.remove(model)
            raise Refusal(
                "digest_mismatch", f"when rebuilt, the candidate has digest {model.digest}, not {candidate.digest}"
            )
        return model

    def _read_documents(self, request: dict[str, Any]) -> BaseModel | None:
        return read_documents(Path(request["folder"]), request["names"])

    def _read_recipe(self, request: dict[str, Any]) -> BaseModel | None:
        return read_recipe(Path(request["folder"]))

    def _apply_adapter(self, request: dict[str, Any]) -> BaseModel:
        base, adapter = (Model.model_validate(request[one]) for one in ("base", "adapter"))
        return adapted(base, adapter, request["name"], self._files)

    def _export(self, request: dict[str, Any]) -> str:
        return str(export(self._files, Model.model_validate(request["model"]), convert_to_pt))


def _architecture(parent: Model | None, tensors: Tensors) -> Architecture | None:
    """The parent's, at the depth of these tensors."""
    own = parent.architecture if parent is not None else None
    return fitted(own, shapes_of(tensors)) if isinstance(own, TinyTitan) else own


def _with_versions(verification: Verification, made: Mapping[str, str]) -> Verification:
    """A rebuild by other code may differ in bytes without any fault: the reader must learn that this may be why."""
    here = versions()
    others = [f"{name} {made[name]} (here {here[name]})" for name in here if made.get(name, here[name]) != here[name]]

    def explained(check: Check) -> Check:
        if check.name != "rebuild" or check.status != "failed" or not others:
            return check
        detail = f"{check.detail}; the model was made by other versions, which may be why: {', '.join(others)}"
        return check.model_copy(update={"detail": detail})

    return verification.model_copy(update={"checks": [explained(check) for check in verification.checks]})


def _refused(request: dict[str, Any], code: str, detail: str) -> dict[str, Any]:
    return {"id": request["id"], "refusal": {"code": code, "detail": detail}}


def main(settings: Settings) -> None:
    logs.configure("interactive", settings.log_level)
    Interactive(settings).serve()
