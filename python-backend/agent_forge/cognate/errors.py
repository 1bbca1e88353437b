"""The one error that a configuration can cause before any work starts."""

from __future__ import annotations


class InvalidSetting(ValueError):  # noqa: N818 - names what is wrong, as the problem document does
    """A setting that cannot work here: which field, what it held, what is allowed."""

    def __init__(self, field: str, value: object, message: str, allowed: str | None = None) -> None:
        super().__init__(f"{field}: {message} (got {value!r}{f'; allowed: {allowed}' if allowed else ''})")
        self.field = field
        self.value = value
        self.message = message
        self.allowed = allowed
