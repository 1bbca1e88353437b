"""`python -m agent_forge.evomerge.export`: write catalogue.json from the ops' signatures."""

from __future__ import annotations

import json
from pathlib import Path

from .ops.registry import merge_ops

CATALOGUE = Path(__file__).with_name("catalogue.json")


def catalogue_text() -> str:
    methods = [op.describe().model_dump(mode="json") for op in merge_ops().values()]
    return json.dumps(methods, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    CATALOGUE.write_text(catalogue_text(), encoding="utf-8")
