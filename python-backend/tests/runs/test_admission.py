from __future__ import annotations

import pytest

from agent_forge.contract.architecture import Preset
from agent_forge.contract.evomerge import EvoMergeConfig, EvoMergeSettings
from agent_forge.runs.admission import settled


@pytest.mark.parametrize(
    ("preset", "given", "expected"),
    [
        (Preset.nano, None, 64),
        (Preset.tinytitan, None, 64),
        (Preset.wide, None, 32),
        (Preset.tinytitan, 100, 100),
    ],
)
def test_null_means_what_the_preset_says(preset: Preset, given: int | None, expected: int) -> None:
    settings = EvoMergeSettings(eval_problems=given)
    assert settled(settings, preset) == settings.model_copy(update={"eval_problems": expected})
    config = EvoMergeConfig(parents=["a", "b"], eval_problems=given)
    assert settled(config, preset).parents == ["a", "b"]
