"""Users' own files: a path in a configuration leads only below the roots that the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .errors import InvalidSetting


def resolve_file(
    name: str, roots: Sequence[Path], suffixes: Sequence[str], max_bytes: int, field: str, also: str = ""
) -> Path:
    """The file that `file:<path>` names, links resolved: below one of `roots`, of a known suffix and bounded size.

    A relative path is looked for below each root in turn. Raises InvalidSetting, which names what is allowed: `also`
    comes first.
    """
    resolved_roots = [root.resolve() for root in roots]
    below = ", ".join(map(str, resolved_roots)) or "no directory at all"
    allowed = f"{also}a {' or '.join(suffixes)} file below {below}"
    text = name.removeprefix("file:")
    if not name.startswith("file:") or not text or "\0" in text:
        raise InvalidSetting(field, name, "is not a file name", allowed)
    try:
        for root in resolved_roots:
            path = (root / text).resolve()
            if not path.is_relative_to(root):
                continue
            if path.suffix not in suffixes:
                raise InvalidSetting(field, name, f"has the suffix {path.suffix or '(none)'}", allowed)
            if path.is_file():
                size = path.stat().st_size
                if size > max_bytes:
                    raise InvalidSetting(field, name, f"is {size} bytes long", f"up to {max_bytes} bytes")
                return path
    except (OSError, RuntimeError) as error:
        # Before Python 3.13, links in a circle are a RuntimeError.
        reason = error.strerror if isinstance(error, OSError) else "links in a circle"
        raise InvalidSetting(field, name, f"leads to no file: {reason}", allowed) from error
    raise InvalidSetting(field, name, "is not there", allowed)
