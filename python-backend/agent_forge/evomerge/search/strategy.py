"""What a search strategy is to a run: it asks for a generation of candidates, and is told how they did. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from ...contract.evomerge import Candidate, EvoMergeSettings, Fitness, Role, StrategyName
from ...contract.recipe import MergeNode
from ...contract.report import Baseline
from .genome import TensorWeights

POPULATIONS: dict[StrategyName, tuple[int, int]] = {
    "tournament": (8, 8),
    "cma_es": (2, 64),
    "ga": (2, 64),
    # its difference is of three others
    "de": (4, 64),
    "nsga2": (2, 64),
}
"""The fewest and the most candidates of a generation."""


POLISH_STEPS = 80
"""The first time, of TinyTitans."""
POLISHED_EVERY = 20
"""Generations from one polishing of the tournament's champion to the next."""
LATER_SHARE = 4
"""A later polishing takes this many times fewer steps than the first: it begins from what the last one found."""
POLISH_PROBLEMS = 16
"""Training problems of each dataset, for a step."""


def polish_steps(settings: EvoMergeSettings, generation: int) -> int:
    """Steps of the polishing in a generation, 0 where there is none.

    The tournament breeds from what it has polished: first in generation 1. An optimizer of real numbers cannot, so that
    it polishes its best in its last generation.
    """
    steps = POLISH_STEPS if settings.polish_steps is None else settings.polish_steps
    if settings.strategy != "tournament":
        return steps if 0 < generation == settings.generations - 1 else 0
    if generation % POLISHED_EVERY != 1:
        return 0
    return steps if generation == 1 else steps // LATER_SHARE


class Polish(BaseModel):
    """Improve the weights of a recipe and of the parents by gradient, see `polish.polish`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: TensorWeights | None
    """Where to begin; null: the recipe as it is."""
    steps: int
    seed: int
    """Of the training problems."""


class Plan(BaseModel):
    """A candidate that is to be made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    op: str
    """The op at the root of the recipe, below any mutation."""
    recipe: MergeNode
    parents: list[str]
    """Ids of the candidates that it comes from; of the parent models, where it comes from none."""
    polished: bool = False
    """Whether weights in the recipe were improved by gradient."""
    polish: Polish | None = None
    """Null: the recipe is what is to be made. Else weights over it are to be found first."""


def root_of(candidate: Candidate) -> MergeNode:
    """Every candidate is made by an op."""
    assert isinstance(candidate.recipe, MergeNode)  # noqa: S101 - as its plan was
    return candidate.recipe


class Strategy(Protocol):
    """Asked and told in turn, one generation at a time.

    A function of the run's settings and of what it was told: so a resumed run asks and tells it again from the
    beginning, with recorded candidates, and none has a state that is stored.
    """

    def meet(self, parents: Sequence[Baseline], plain: Fitness | None) -> None:
        """Told once, before anything is asked: the parents' scores, in order, and those of the plain sum of the task
        vectors that the frame has, null where it could not be measured."""

    def ask(self) -> list[Plan]:
        """The candidates of the next generation, in slot order."""

    def tell(self, candidates: Sequence[Candidate], diversity: float) -> None:
        """How the generation that was asked for last did.

        candidates: in slot order, those with a fault too: nothing may be bred from these; diversity: mean pairwise
        cosine distance of the others, 0 to 2.
        """
