"""θ₀: the model that all parents were trained from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...contract.model import Model
from ...contract.recipe import Leaf, MergeOrigin, TrainingOrigin
from .tree import nodes


def common_foundation(parents: Sequence[Model], model: Callable[[str], Model]) -> Leaf | None:
    """The foundation that all parents descend from, through merges too; None where they don't share one.

    model: a registered model by its id.
    """
    found = {_foundation(parent, model) for parent in parents}
    return found.pop() if len(found) == 1 else None


def _foundation(parent: Model, model: Callable[[str], Model]) -> Leaf | None:
    match parent.origin:
        case TrainingOrigin(initial=initial):
            return initial
        case MergeOrigin(recipe=recipe):
            leaves = {node for node in nodes(recipe) if isinstance(node, Leaf)}
            # θ₀ itself is a leaf of recipes about task vectors; it has no foundation of its own
            found = {_foundation(model(leaf.model_id), model) for leaf in leaves} - {None}
            return found.pop() if len(found) == 1 else None
        case _:
            return None
