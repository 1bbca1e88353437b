"""An exception from the engine as a reason that a user can act on."""

from __future__ import annotations

import errno

from ..causal_lm.errors import NotRunnable
from ..cognate.errors import InvalidSetting, TrainingDiverged
from ..contract.run import Failure
from ..evomerge.errors import MergeRefused
from ..registry.errors import RegistryError
from ..store.faults import in_short, store_fault


def describe(error: BaseException, log_tail: list[str]) -> Failure:
    """Everything unknown becomes `internal_error`, with its type and message."""
    code, hint = _classify(error)
    return Failure(code=code, message=f"{type(error).__name__}: {in_short(error)}", hint=hint, log_tail=log_tail)


def _classify(error: BaseException) -> tuple[str, str | None]:
    if (fault := store_fault(error)) is not None:
        return fault.code, fault.hint
    match error:
        case InvalidSetting():
            return "invalid_setting", f"Allowed: {error.allowed}." if error.allowed else None
        case RegistryError() | MergeRefused() | NotRunnable() | TrainingDiverged():
            return error.code, getattr(error, "hint", None)
        case OSError() if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return "not_writable", "Make the data directory writable, then retry."
        case MemoryError():
            return "out_of_memory", "Choose a smaller batch_tokens or preset, then make a new run."
        case RuntimeError() if "out of memory" in str(error).lower() or "can't allocate memory" in str(error).lower():
            return "out_of_memory", "Choose a smaller batch_tokens or preset, then make a new run."
        case _:
            return "internal_error", "See the log. A retry continues from the last checkpoint."
