"""What a Cognate run does, in order: its stages, the models that come of them, and their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..contract.architecture import TinyTitan
from ..contract.cognate import CognateConfig, Specialization
from ..contract.job import ModelDraft
from ..contract.model import ModelKind
from ..contract.recipe import Leaf, TrainingOrigin


@dataclass(frozen=True)
class Stage:
    name: str
    """`foundation`, or the specialization (with `-2`, `-3`, … where it is named again)."""
    specialization: Specialization | None
    seed: int
    steps: int
    ponder_cost: float


def stages(config: CognateConfig) -> list[Stage]:
    """Of a resolved configuration. The foundation, if there is one, uses the first seed."""
    plan = []
    costs, seeds = config.ponder_costs or [], config.seeds or []
    if config.foundation_steps:
        plan.append(Stage("foundation", None, seeds[0], config.foundation_steps, min(costs)))
    seen: dict[Specialization, int] = {}
    for specialization, seed, cost in zip(config.specializations, seeds, costs, strict=True):
        seen[specialization] = seen.get(specialization, 0) + 1
        suffix = f"-{seen[specialization]}" if seen[specialization] > 1 else ""
        plan.append(Stage(f"{specialization}{suffix}", specialization, seed, config.train_steps or 0, cost))
    return plan


@dataclass(frozen=True)
class Drafts:
    """Makes the registry's drafts. Everything comes from the run, so that a resumed run makes the same."""

    run_id: str
    created_at: datetime
    config: CognateConfig
    architecture: TinyTitan

    @property
    def session_id(self) -> str:
        return self.config.session_id or re.sub(r"[^A-Za-z0-9]", "", self.run_id)[-8:].lower()

    def draft(self, stage: Stage, initial: Leaf | None, metrics: dict[str, float]) -> ModelDraft:
        stamp = self.created_at.astimezone(UTC).strftime("%Y%m%d_%H%M%S")
        recorded: dict[str, Any] = self.config.model_dump(mode="json")
        return ModelDraft(
            name=f"cognate_tinytitan_{stage.name}_{self.session_id}_{stamp}",
            directory=f"cognate/{self.session_id}",
            kind=ModelKind.foundation if stage.specialization is None else ModelKind.specialist,
            specialization=stage.specialization,
            architecture=self.architecture,
            origin=TrainingOrigin(
                run_id=self.run_id,
                stage=stage.name,
                seed=stage.seed,
                steps=stage.steps,
                architecture=self.architecture,
                config=recorded,
                initial=initial,
            ),
            parents=[initial.model_id] if initial else [],
            metrics=metrics,
            formats=list(self.config.formats),
        )
