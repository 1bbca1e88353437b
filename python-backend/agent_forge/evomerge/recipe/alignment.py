"""Parents whose units stand in different orders, brought into one. Free of torch.

Each parent is matched to one reference, not in turn to the mean of the others (MergeMany of the paper): so a
recipe names an aligned parent by two registered models, however many parents there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ...contract.recipe import Leaf, Recipe
from ..recipe.tree import node

Align = Literal["auto", "always", "never"]


def aligns(mode: Align, *, founded: bool) -> bool:
    """founded: the parents share a foundation, so that their units stand in one order by descent."""
    return mode == "always" or (mode == "auto" and not founded)


def reference_of(mode: Align, parents: Sequence[Leaf], foundation: Leaf | None) -> Leaf | None:
    """What the parents are aligned to; None where they stay as they are."""
    if not aligns(mode, founded=foundation is not None):
        return None
    return foundation or parents[0]


def aligned(parents: Sequence[Leaf], reference: Leaf | None, heads: int) -> list[Recipe]:
    """The parents as candidates are made from them. heads: attention heads of a block."""
    return [
        parent if reference in (None, parent) else node("align", [parent, reference], heads=heads) for parent in parents
    ]
