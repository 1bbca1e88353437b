"""The Range header as RFC 9110, 14 reads it. Starlette refuses with 400 what a server is to ignore."""

from __future__ import annotations

import re

from fastapi import Request
from starlette.datastructures import MutableHeaders

_HEADER = re.compile(r"bytes=(.*)", re.IGNORECASE)
_SPEC = re.compile(r"(\d*)-(\d*)", re.ASCII)
# A number of more digits is beyond the end of any file all the same, and int() refuses some thousands of digits.
_DIGITS = 19


def read_ranges(request: Request, size: int) -> None:
    """Keeps of the request's Range only what applies to a file of `size` bytes, for whoever answers it."""
    headers = MutableHeaders(scope=request.scope)
    # Several lines are one list, and lists of several units are none.
    ranges = satisfiable(", ".join(headers.getlist("range")), size)
    del headers["range"]
    if ranges is not None:
        headers["range"] = ranges


def satisfiable(header: str, size: int) -> str | None:
    """The same ranges of a file of `size` bytes without those beyond it; None where the header is to be ignored.

    Ignored are other units and invalid syntax (`5-2`, letters, nothing at all). Where no range lies within the file,
    the answer is one that doesn't either, so that it is refused (416) unless `If-Range` says otherwise.
    """
    found = _HEADER.fullmatch(header.strip(" \t"))
    if found is None:
        return None
    specs = [spec for spec in (part.strip(" \t") for part in found[1].split(",")) if spec]
    ranges = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None or match[0] == "-":
            return None
        first, last = (_number(digits) for digits in match.groups())
        if first is None:
            # A suffix: the last so many bytes. No bytes, or those of an empty file, are no range.
            if last and size:
                ranges.append((max(size - last, 0), size - 1))
        elif last is not None and last < first:
            return None
        elif first < size:
            ranges.append((first, size - 1 if last is None else min(last, size - 1)))
    if not specs:
        return None
    return "bytes=" + ",".join(f"{first}-{last}" for first, last in ranges or [(size, size)])


def _number(digits: str) -> int | None:
    if not digits:
        return None
    significant = digits.lstrip("0") or "0"
    return int(significant) if len(significant) <= _DIGITS else 10**_DIGITS
