"""Layer groups: what a per-group weight applies to. Torch-free."""

from __future__ import annotations

from ..registry.families.family import Role
from ..registry.families.layout import Layout

GROUPS = ("embedding", "early", "middle", "late", "heads", "output")
"""Layers fall into thirds by depth; `output` is what projects to the vocabulary, `heads` all that is left."""

_OUTSIDE = {Role.embedding: "embedding", Role.position: "embedding", Role.head: "output"}


def group_of(name: str, layout: Layout) -> str:
    place = layout.place(name)
    if place.layer is not None:
        return ("early", "middle", "late")[place.layer * 3 // layout.depth]
    return _OUTSIDE.get(place.role, "heads")
