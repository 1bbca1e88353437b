"""Chat templates that a merge may ask for."""

from __future__ import annotations

AUTO = "auto"
"""The one that most of the merged models have."""
_NAMED = ("alpaca", "chatml", "exaone", "llama3", "mistral")
"""Those that mergekit has under a name."""


def why_not(template: str) -> str | None:
    """Why it cannot be had; None where it can."""
    if template == AUTO or "{" in template:
        return None
    known = ", ".join(_NAMED)
    what = f"mergekit's own templates ({known}) are not here" if template in _NAMED else "is no template"
    return f"{template[:80]!r}: {what}; give `auto`, or the template itself, as Jinja"
