"""Is it real? Re-hash the file, recount its parameters, rebuild it from its recipe. Never raises: it reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Literal, Protocol

from ..contract.base import now
from ..contract.evomerge import Candidate
from ..contract.model import Check, Model, ModelFile, Verification
from ..contract.recipe import MergeOrigin, Origin
from .architecture import check_shapes
from .bundle.causal_lm import count_parameters, model_type_of
from .bundle.weights import specs_of
from .digest import FileHashes, digest_hashes, hash_file, sha256_file
from .errors import NotRebuildableError, RegistryError
from .files import ModelFiles


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came out when a model was made again."""

    digest: str
    parameters: int
    detail: str
    """How it was made, in plain words."""


class Rebuilder(Protocol):
    """Makes models again from their origin, leaves re-hashed on the way (see `rebuild`)."""

    def rebuild(self, origin: Origin) -> Rebuilt:
        """Raises NotRebuildableError where the origin says no more than the file itself does."""


def verify_model(
    model: Model, files: ModelFiles, rebuilder: Rebuilder | None, *, clock: Callable[[], datetime] = now
) -> Verification:
    """The three checks on a registered model; without a rebuilder the third is skipped."""
    start = perf_counter()
    read = _read(model, files)
    checks = [
        _file_digest(model, files, read),
        _parameter_count(model, read),
        _rebuild(model.origin, model.digest, rebuilder),
    ]
    return _verdict("model", model.id, checks, perf_counter() - start, clock())


def verify_candidate(
    candidate: Candidate, rebuilder: Rebuilder, *, clock: Callable[[], datetime] = now
) -> Verification:
    """As `verify_model`, for a candidate that was evaluated and thrown away: only its recipe is left."""
    start = perf_counter()
    detail = "candidates aren't stored: they are rebuilt from their recipes"
    checks = [Check(name="file_digest", status="skipped", expected=None, found=None, detail=detail)]
    if candidate.digest is None:
        checks.append(_refused_again(candidate, rebuilder))
    else:
        origin = MergeOrigin(run_id=candidate.run_id, candidate_id=candidate.id, recipe=candidate.recipe)
        rebuilt = _attempt(origin, rebuilder)
        count = rebuilt.parameters if isinstance(rebuilt, Rebuilt) else None
        checks += [_count(candidate.parameters, count, "rebuilt"), _compare(candidate.digest, rebuilt)]
    return _verdict("candidate", candidate.id, checks, perf_counter() - start, clock())


def _read(model: Model, files: ModelFiles) -> list[FileHashes] | str:
    """The model's safetensors files, in order."""
    try:
        return [hash_file(path) for path in files.weights(model)]
    except (RegistryError, OSError) as error:
        return f"the file can't be read: {error}"


def _file_digest(model: Model, files: ModelFiles, read: list[FileHashes] | str) -> Check:
    if isinstance(read, str):
        return Check(name="file_digest", status="failed", expected=model.digest, found=None, detail=read)
    digest = digest_hashes(read)
    if digest != model.digest:
        detail = "the tensors in the file are not those that were registered"
        return Check(name="file_digest", status="failed", expected=model.digest, found=digest, detail=detail)
    weights = iter(read)
    for file in model.files:
        try:
            found = next(weights).file_sha256 if file.format == "safetensors" else sha256_file(files.path(file))
        except (RegistryError, OSError) as error:
            detail = f"the {_named(model, file)} file can't be read: {error}"
            return Check(name="file_digest", status="failed", expected=file.file_sha256, found=None, detail=detail)
        if found != file.file_sha256:
            detail = f"SHA-256 of the whole {file.format} file; the tensors' digest is right, other bytes differ"
            detail = detail if file.format == "safetensors" else f"SHA-256 of the whole {_named(model, file)} file"
            return Check(name="file_digest", status="failed", expected=file.file_sha256, found=found, detail=detail)
    detail = f"{sum(file.bytes for file in model.files)} bytes re-hashed: tensors and whole files"
    return Check(name="file_digest", status="passed", expected=model.digest, found=digest, detail=detail)


def _parameter_count(model: Model, read: list[FileHashes] | str) -> Check:
    if isinstance(read, str):
        return _count(model.parameters, None, "in the file: it can't be read")
    specs = specs_of({str(index): file.header for index, file in enumerate(read)})
    counted = count_parameters(specs, model_type_of(model.architecture))
    if model.architecture is not None:
        try:
            check_shapes({name: spec.shape for name, spec in specs.items()}, model.architecture)
        except RegistryError as error:
            found = str(counted)
            expected = str(model.parameters)
            return Check(name="parameter_count", status="failed", expected=expected, found=found, detail=str(error))
    return _count(model.parameters, counted, "in the file")


def _named(model: Model, file: ModelFile) -> str:
    return file.path.rpartition("/")[2] if model.folder is not None else file.format


def _count(expected: int, found: int | None, where: str) -> Check:
    detail = f"sum over the shapes of all tensors {where}" if found is not None else f"there are none {where}"
    return Check(
        name="parameter_count",
        status="passed" if found == expected else "failed",
        expected=str(expected),
        found=None if found is None else str(found),
        detail=detail,
    )


def _rebuild(origin: Origin, digest: str, rebuilder: Rebuilder | None) -> Check:
    if rebuilder is None:
        detail = "not asked for"
        return Check(name="rebuild", status="skipped", expected=digest, found=None, detail=detail)
    return _compare(digest, _attempt(origin, rebuilder))


def _attempt(origin: Origin, rebuilder: Rebuilder) -> Rebuilt | NotRebuildableError | str:
    try:
        return rebuilder.rebuild(origin)
    except NotRebuildableError as error:
        return error
    except Exception as error:
        # whatever an op, the disk or the memory did: the model is not proved, and the reader must learn why
        return f"the rebuild failed: {type(error).__name__}: {error}"


def _refused_again(candidate: Candidate, rebuilder: Rebuilder) -> Check:
    """Of a candidate that could not be merged: it has no digest, and its recipe must fail as it did."""
    expected = candidate.fault.message if candidate.fault is not None else None
    origin = MergeOrigin(run_id=candidate.run_id, candidate_id=candidate.id, recipe=candidate.recipe)
    try:
        found = rebuilder.rebuild(origin).digest
    except Exception as error:
        found = str(error)
    return Check(
        name="rebuild",
        status="passed" if found == expected else "failed",
        expected=expected,
        found=found,
        detail="it could not be merged, so there are no tensors: the merge was tried again",
    )


def _compare(digest: str, rebuilt: Rebuilt | NotRebuildableError | str) -> Check:
    if isinstance(rebuilt, NotRebuildableError):
        return Check(name="rebuild", status="skipped", expected=digest, found=None, detail=str(rebuilt))
    if isinstance(rebuilt, str):
        return Check(name="rebuild", status="failed", expected=digest, found=None, detail=rebuilt)
    status: Literal["passed", "failed"] = "passed" if rebuilt.digest == digest else "failed"
    return Check(name="rebuild", status=status, expected=digest, found=rebuilt.digest, detail=rebuilt.detail)


def _verdict(
    subject: Literal["model", "candidate"], subject_id: str, checks: list[Check], seconds: float, time: datetime
) -> Verification:
    ok = all(check.status != "failed" for check in checks)
    return Verification(subject=subject, subject_id=subject_id, ok=ok, checks=checks, seconds=seconds, time=time)
