"""What null means in the settings of a run, which depends on the preset of its models. Free of torch."""

from __future__ import annotations

from typing import TypeVar

from ..cognate.presets import DEFAULTS
from ..contract.architecture import Preset
from ..contract.evomerge import EvoMergeSettings

Settled = TypeVar("Settled", bound=EvoMergeSettings)


def settled(settings: Settled, preset: Preset) -> Settled:
    """With what null means for models of this preset."""
    if settings.eval_problems is not None:
        return settings
    return settings.model_copy(update={"eval_problems": DEFAULTS[preset].selection_problems})
