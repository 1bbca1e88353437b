"""What a search strategy is to a run: it asks for a generation of candidates, and is told how they did. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from ...contract.evomerge import Candidate, Role, StrategyName
from ...contract.recipe import MergeNode
from ...contract.report import Baseline

POPULATIONS: dict[StrategyName, tuple[int, int]] = {
    "tournament": (8, 8),
    "cma_es": (2, 64),
    "ga": (2, 64),
    # its difference is of three others
    "de": (4, 64),
    "nsga2": (2, 64),
}
"""The fewest and the most candidates of a generation."""


class Plan(BaseModel):
    """A candidate that is to be made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    op: str
    """The op at the root of the recipe, below any mutation."""
    recipe: MergeNode
    parents: list[str]
    """Ids of the candidates that it comes from; of the parent models, where it comes from none."""


class Strategy(Protocol):
    """Asked and told in turn, one generation at a time.

    A function of the run's settings and of what it was told: so a resumed run asks and tells it again from the
    beginning, with recorded candidates, and none has a state that is stored.
    """

    def meet(self, parents: Sequence[Baseline]) -> None:
        """The parents' scores, in order: told once, before anything is asked."""

    def ask(self) -> list[Plan]:
        """The candidates of the next generation, in slot order."""

    def tell(self, candidates: Sequence[Candidate], diversity: float) -> None:
        """How the generation that was asked for last did.

        candidates: in slot order, those with a fault too: nothing may be bred from these; diversity: mean pairwise
        cosine distance of the others, 0 to 2.
        """
