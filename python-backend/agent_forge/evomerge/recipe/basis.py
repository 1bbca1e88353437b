"""What a run's recipes combine: the parents' task vectors as they are, or decoupled. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence

from ...contract.recipe import Leaf, Recipe
from .tree import node


def decoupled(parents: Sequence[Recipe], foundation: Leaf | None) -> list[Recipe]:
    """Each parent with less of what the others' inputs read of its task vector, see `ops.decoupling`."""
    return [node("decouple", list(parents), origin(parents, foundation), index=index) for index in range(len(parents))]


def origin(parents: Sequence[Recipe], foundation: Leaf | None) -> Recipe:
    """θ₀: the foundation, else the parents' mean."""
    return foundation or node("linear", list(parents))
