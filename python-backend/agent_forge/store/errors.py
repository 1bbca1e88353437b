"""An error with a stable code: the only kind that services raise on purpose. HTTP maps codes to statuses."""

from __future__ import annotations

from ..contract.problem import FieldError


class Refusal(Exception):  # noqa: N818 - the answer to a request, not a fault
    """`code` is a key of the table in `api/problems.py`."""

    def __init__(self, code: str, detail: str, errors: list[FieldError] | None = None) -> None:
        super().__init__(detail)
        self.code, self.detail, self.errors = code, detail, errors or []
