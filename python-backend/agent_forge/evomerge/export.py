"""`python -m agent_forge.evomerge.export`: write merge_methods.json and ops/README.md from the ops' signatures."""

from __future__ import annotations

import json
from pathlib import Path

from .handbook import handbook_text
from .ops.registry import merge_ops

HERE = Path(__file__).parent


def exported() -> dict[Path, str]:
    """File → its text."""
    methods = [op.describe() for op in merge_ops().values()]
    listed = [method.model_dump(mode="json") for method in methods]
    return {
        HERE / "merge_methods.json": json.dumps(listed, indent=2, ensure_ascii=False, sort_keys=True) + "\n",
        HERE / "ops" / "README.md": handbook_text(methods),
    }


if __name__ == "__main__":
    for path, text in exported().items():
        path.write_text(text, encoding="utf-8")
