"""What is refused, and why the data directory cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..contract.problem import FieldError
from ..contract.run import RunStatus
from .faults import DATABASE_DAMAGED


class Refusal(Exception):  # noqa: N818 - the answer to a request, not a fault
    """The only error that services raise on purpose. `code` is stable; `api/problem.py` maps it to a status."""

    def __init__(self, code: str, detail: str, errors: list[FieldError] | None = None) -> None:
        super().__init__(detail)
        self.code, self.detail, self.errors = code, detail, errors or []


class Fenced(Exception):  # noqa: N818 - control flow, not an error
    """This worker no longer holds the run: it was declared dead, or the run was given to another attempt."""


class IllegalTransition(Exception):  # noqa: N818 - names what was asked for
    """The run's state does not allow this action."""

    def __init__(self, status: RunStatus, action: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"a run that is {status} cannot {action}; "
            + (f"it can {', '.join(allowed)}" if allowed else "it takes no commands")
        )
        self.status, self.action = status, action


class DataDirectoryInUseError(RuntimeError):
    """Two backends on one directory would give up each other's workers."""


class DatabaseDamagedError(RuntimeError):
    """The file is no database, or one with broken pages."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"the database {path} is damaged ({what}). {DATABASE_DAMAGED.hint}")


class CannotOpenError(RuntimeError):
    """The database is there and cannot be used; the text says why, and what to do."""


class BackupError(RuntimeError):
    """Why nothing was backed up or restored, and what to do."""
