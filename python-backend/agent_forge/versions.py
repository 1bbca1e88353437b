"""What made a result: versions of the interpreter, the libraries and this code."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

from . import __version__


@cache
def code_digest() -> str:
    """First 12 hex digits of the SHA-256 over this package's sources: what ran, whatever git says."""
    root = Path(__file__).resolve().parents[1]
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]


def versions() -> dict[str, str]:
    """Read from package metadata, so that torch need not be imported."""
    return {
        "agent_forge": __version__,
        "code": code_digest(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "safetensors": version("safetensors"),
        "machine": platform.machine(),
    }
