"""The points that optimizers of real numbers search: weights, density, λ and op of one merge. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...contract.recipe import MergeNode
from ..errors import BadParameter
from ..layers import GROUPS
from ..merge_methods import merge_method, weighing
from ..recipe.frame import Frame
from .chance import chance, derived_seed
from .genome import GroupWeights, one_op

Points = npt.NDArray[np.float64]
"""Shape (candidates, coordinates)."""

OP = "breadcrumbs"
"""Used where none is named. Without its upper mask: weighted sums of trimmed task vectors."""
WEIGHTS = (0.0, 2.0)
DENSITY = (0.05, 1.0)
SCALE = (0.0, 3.0)
"""λ."""
DECIMALS = 6
"""Of every coordinate: keeps recipes short, and the last digits of linear algebra out of them."""
EVEN = 0.3
"""Density of the point that the search starts about."""


@dataclass(frozen=True)
class Space:
    """A point is a weight for each layer group and parent, then density, then λ, then the op where there are several.

    The op's coordinate runs from 0 to 1 and names the ops in equal parts.
    """

    frame: Frame
    ops: tuple[str, ...]
    seed: int
    """Of the run."""

    @property
    def limits(self) -> tuple[Points, Points]:
        """Lower and upper, shape (coordinates,)."""
        rows = [WEIGHTS] * (len(GROUPS) * len(self.frame.parents)) + [DENSITY, SCALE]
        if len(self.ops) > 1:
            rows.append((0.0, 1.0))
        low, high = np.array(rows, dtype=np.float64).T
        return low, high

    def first_points(self, count: int, best: int) -> Points:
        """The best parent and the plain merges that anyone would try, then random ones about them.

        best: index of that parent. It stands there alone, so no search ends below it; decoupled it is another model,
        and stands there no more.
        """
        drawn = chance(self.seed, 0, 0, "first points")
        parents = len(self.frame.parents)
        plain = [(1.0, EVEN, 1.0), (1 / parents, 1.0, 1.0), (1.0, 1.0, 1.0)]
        alone = [1.0 if parent == best else 0.0 for parent in range(parents)]
        points = [self._point(alone * len(GROUPS), 1.0, 1.0, 0)] if self.frame.basis == "raw" else []
        points += [self._point([weight] * parents * len(GROUPS), density, scale, 0) for weight, density, scale in plain]
        while len(points) < count:
            by_parent = drawn.uniform(0.25, 1.5, parents)
            weights = (by_parent + drawn.normal(0, 0.2, (len(GROUPS), parents))).reshape(-1)
            op = len(points) % len(self.ops)
            points.append(self._point(list(weights), drawn.uniform(*DENSITY), drawn.uniform(0.5, 1.5), op))
        return self.rounded(np.array(points[:count]))

    def rounded(self, points: Points) -> Points:
        """Within the limits, with as many decimals as are meant."""
        return np.clip(points, *self.limits).round(DECIMALS)

    def op(self, point: Points) -> str:
        if len(self.ops) == 1:
            return self.ops[0]
        return self.ops[min(int(point[-1] * len(self.ops)), len(self.ops) - 1)]

    def recipe(self, point: Points) -> MergeNode:
        """point: shape (coordinates,), rounded."""
        parents = len(self.frame.parents)
        values = [float(value) for value in point]
        weights = {group: values[parents * row : parents * (row + 1)] for row, group in enumerate(GROUPS)}
        density, scale = values[parents * len(GROUPS) : parents * len(GROUPS) + 2]
        op = self.op(point)
        if not merge_method(op).uses_base:
            weights = _summing(weights)
        # one mask for the whole run: under a mask of its own each point would be scored by another function
        mask_seed = derived_seed(self.seed, 0, 0, "mask")
        return one_op(op, self.frame.parents, self.frame, weights, density, scale, mask_seed, gamma=0.0)

    def _point(self, weights: list[float], density: float, scale: float, op: int) -> list[float]:
        chosen = [(op + 0.5) / len(self.ops)] if len(self.ops) > 1 else []
        return [*weights, density, scale, *chosen]


def chosen_ops(enabled: list[str], parents: int) -> tuple[str, ...]:
    """Those of the enabled ones that weigh so many parents. enabled empty: the default.

    Raises `UnknownOp`, and `BadParameter` where none is left.
    """
    for name in enabled:
        merge_method(name)
    usable = weighing(parents, parents)
    chosen = tuple(name for name in usable if name in (enabled or [OP]))
    if not chosen:
        raise BadParameter(
            f"ops: none of {', '.join(enabled)} weights {parents} parents; choose from {', '.join(usable)}"
        )
    return chosen


def _summing(weights: GroupWeights) -> GroupWeights:
    """A mean needs a weight, where a sum of task vectors is θ₀ without: where a group's are all 0, they become 1."""
    return {group: row if sum(row) > 0.01 else [1.0] * len(row) for group, row in weights.items()}
