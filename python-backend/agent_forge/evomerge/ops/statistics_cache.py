"""Statistics of inputs, which many merges of the same inputs share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar

Statistic = TypeVar("Statistic")


class StatisticsCache(Protocol):
    """Of the tensor at hand, in one node of a recipe."""

    def __call__(self, inputs: Sequence[int], what: Hashable, make: Callable[[], Statistic]) -> Statistic:
        """What `make` gives, which may have been made before.

        It must follow from these inputs, the base and `what` alone; `what` begins with the name of the statistic.
        """


def nothing_cached(inputs: Sequence[int], what: Hashable, make: Callable[[], Statistic]) -> Statistic:
    return make()
