"""What ends a worker, and what it may send by mistake."""

from __future__ import annotations


class Stopped(Exception):  # noqa: N818 - control flow, not an error
    """The worker has to end; the run goes on in the next one."""


class MalformedMessage(ValueError):  # noqa: N818 - a fact about a line, not a failure of this process
    """The line is not a message; the text says why."""
