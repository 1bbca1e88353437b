"""The half that the API process imports is free of torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import agent_forge.registry

WITH_TORCH = {"bundle.bred", "bundle.view", "rebuild", "store", "tensors"}
ROOT = Path(agent_forge.registry.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in ROOT.rglob("*.py") if path.stem != "__init__"
}


@pytest.mark.parametrize("chosen", [sorted(MODULES - WITH_TORCH)], ids=["the torch-free modules"])
def test_free_of_torch(chosen: list[str]) -> None:
    code = "".join(f"import agent_forge.registry.{name}\n" for name in chosen)
    code += "import sys\nassert not {'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
