"""What null means in the settings of a run, which depends on the architecture of its models. Free of torch."""

from __future__ import annotations

from typing import TypeVar

from ..causal_lm.defaults import SELECTION_PROBLEMS
from ..cognate.presets import DEFAULTS
from ..contract.architecture import Architecture, TinyTitan
from ..contract.evomerge import EvoMergeSettings
from ..evomerge.search.strategy import POLISH_STEPS

Settled = TypeVar("Settled", bound=EvoMergeSettings)


def settled(settings: Settled, architecture: Architecture) -> Settled:
    """With what null means for models of this architecture."""
    ours = isinstance(architecture, TinyTitan)
    problems = DEFAULTS[architecture.preset].selection_problems if isinstance(architecture, TinyTitan) else None
    meant = {"eval_problems": problems or SELECTION_PROBLEMS, "polish_steps": POLISH_STEPS if ours else 0}
    return settings.model_copy(update={name: value for name, value in meant.items() if getattr(settings, name) is None})
