"""Models that were never trained are proved by drawing them again."""

from __future__ import annotations

import pytest

from agent_forge.cognate.initialization import draw_all
from agent_forge.contract.architecture import Preset, TinyTitan
from agent_forge.contract.recipe import Leaf, TrainingOrigin
from agent_forge.registry.errors import NotRebuildableError
from agent_forge.registry.tensors import digest_tensors
from agent_forge.worker.wiring import redraw

TINY = TinyTitan(preset=Preset.nano, vocab_size=16, d_model=8, n_layers=2, n_heads=2, d_ff=16, window=8)
UNTRAINED = TrainingOrigin(run_id="r", stage="reasoning", seed=42, steps=0, architecture=TINY, config={})


def test_drawn_again() -> None:
    assert digest_tensors(redraw(UNTRAINED)) == digest_tensors(draw_all(TINY, 42))
    other = UNTRAINED.model_copy(update={"seed": 43})
    assert digest_tensors(redraw(other)) != digest_tensors(redraw(UNTRAINED))


@pytest.mark.parametrize("change", [{"steps": 1}, {"initial": Leaf(model_id="mdl_a", digest="0" * 64)}])
def test_what_was_trained_is_not(change: dict[str, object]) -> None:
    with pytest.raises(NotRebuildableError, match="train it again"):
        redraw(UNTRAINED.model_copy(update=change))
