"""What a run will need, known before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from agent_forge.cognate.presets import architecture, resolve
from agent_forge.contract.architecture import Preset
from agent_forge.contract.cognate import CognateConfig
from agent_forge.contract.evomerge import EvoMergeSettings
from agent_forge.contract.run import PipelineConfig
from agent_forge.registry.architecture import forecast_bytes
from agent_forge.service import forecast
from agent_forge.settings import Settings
from agent_forge.store.database import Database


@pytest.mark.parametrize(
    ("initialization", "align", "copies"),
    [
        ("foundation", "auto", 0),
        ("foundation", "always", 3),
        ("independent", "auto", 3),
        ("independent", "never", 0),
    ],
)
def test_aligned_parents_take_memory(
    database: Database,
    tmp_path: Path,
    initialization: Literal["foundation", "independent"],
    align: Literal["auto", "always", "never"],
    copies: int,
) -> None:
    parents = resolve(CognateConfig(preset=Preset.tinytitan, initialization=initialization))

    def memory(settings: EvoMergeSettings, parents: CognateConfig) -> int:
        config = PipelineConfig(cognate=parents, evomerge=settings)
        with database.read() as connection:
            found = forecast.pipeline(Settings(data=tmp_path), connection, config, None).evomerge
        assert found is not None
        return found.resources.memory_needed

    plain = memory(EvoMergeSettings(align="never", eval_problems=64), parents)
    size = forecast_bytes(architecture(parents))
    assert memory(EvoMergeSettings(align=align, eval_problems=64), parents) - plain == copies * size
