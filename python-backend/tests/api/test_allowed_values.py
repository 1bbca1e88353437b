from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent_forge.api.allowed_values import allowed_at

TABLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "tests" / "openapi" / "allowed-values.json").read_text()
)
"""The gateway's suite runs the same table."""


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: f"{case['words']}")
def test_words(case: dict[str, Any]) -> None:
    assert allowed_at(TABLE, case["schema"], case.get("path", [])) == case["words"]
