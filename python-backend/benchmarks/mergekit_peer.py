"""Run by a python that has mergekit (0.1.5 or newer): one of its merge methods over given tensors, timed.

    mergekit_peer.py OP SETTINGS DIRECTORY

SETTINGS are ours, as JSON. DIRECTORY has base.safetensors and model<N>.safetensors; result.safetensors is written
there. Only the merge itself is timed; reading, writing and imports are not. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import safetensors.torch
from mergekit.merge_methods import TensorGroup, get


def parameters(op: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Our settings in mergekit's words."""
    weights = settings.get("weights", [1.0, 1.0, 1.0])
    if op == "linear":
        return {"weight": weights}
    if op == "slerp":
        return {"t": weights[1] / sum(weights)}
    common = {"weight": weights, "lambda": settings.get("scale", 1.0)}
    if op == "ties":
        return common | {"density": settings["density"]}
    if op.startswith("dare"):
        return common | {"density": 1 - settings["drop_rate"]}
    return common


def main(op: str, settings: dict[str, Any], place: Path) -> None:
    paths = [place / f"model{index}.safetensors" for index in range(2 if op == "slerp" else 3)]
    models = [safetensors.torch.load(path.read_bytes()) for path in paths]
    with_base = op not in ("linear", "slerp")
    if with_base:
        models.insert(0, safetensors.torch.load((place / "base.safetensors").read_bytes()))
    method, given = get(op), parameters(op, settings)
    result = {}
    start = time.perf_counter()
    for name in models[0]:
        group = TensorGroup.from_tensors(
            [model[name] for model in models], base_index=0 if with_base or op == "slerp" else None, name=name
        )
        (result[name],) = method([group], parameters=given)
    seconds = time.perf_counter() - start
    safetensors.torch.save_file(result, place / "result.safetensors")
    sys.stdout.write(json.dumps({"seconds": seconds}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]))
