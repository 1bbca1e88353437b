"""Run by a python that has mergekit (0.1.5 or newer): one of its merge methods over given tensors, timed.

    mergekit_peer.py REQUEST DIRECTORY

REQUEST is JSON: op, our settings, how many models, whether about the base. DIRECTORY has base.safetensors and
model<N>.safetensors; result.safetensors is written there. Only the merge itself is timed; reading, writing and
imports are not. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from mergekit.merge_methods import TensorGroup, get

NAMES = {"ram_plus": "ramplus_tl"}
"""Our op → mergekit's method, where it has another name."""


def parameters(op: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Our settings in mergekit's words."""
    weights = settings.get("weights", [1.0, 1.0, 1.0])
    common = {"weight": weights, "lambda": settings.get("scale", 1.0)}
    match op:
        case "linear" | "multislerp":
            return {"weight": weights}
        case "slerp":
            return {"t": weights[1] / sum(weights)}
        case "nuslerp":
            return {"weight": weights}
        case "ties":
            return common | {"density": settings["density"]}
        case "breadcrumbs" | "breadcrumbs_ties":
            # the published election takes a mean
            return common | {key: settings[key] for key in ("density", "gamma")} | {"normalize": op.endswith("ties")}
        case "dare_linear" | "dare_ties" | "della_linear" | "della":
            return common | {"density": 1 - settings["drop_rate"], "normalize": op in ("dare_ties", "della")}
        case "task_arithmetic":
            return common
        case "sce":
            return {"select_topk": settings["selected"]}
        case "nearswap":
            return {"t": settings["t"]}
        case "ram_plus":
            return {key: settings[key] for key in ("epsilon", "r", "alpha")}
        case _:
            return {}


def main(request: dict[str, Any], place: Path) -> None:
    op, with_base = request["op"], request["base"]
    paths = [place / f"model{index}.safetensors" for index in range(request["models"])]
    models = [safetensors.torch.load(path.read_bytes()) for path in paths]
    if with_base:
        models.insert(0, safetensors.torch.load((place / "base.safetensors").read_bytes()))
    method, given = get(NAMES.get(op, op)), parameters(op, request["settings"])
    torch.manual_seed(0)
    result = {}
    start = time.perf_counter()
    for name in models[0]:
        if op.startswith("della") and models[0][name].shape[-1] == 1:
            # its ranks of a row of one entry are 0/0
            result[name] = models[0][name]
            continue
        group = TensorGroup.from_tensors(
            [model[name] for model in models], base_index=0 if with_base or op == "slerp" else None, name=name
        )
        (result[name],) = method([group], parameters=given)
    seconds = time.perf_counter() - start
    safetensors.torch.save_file(result, place / "result.safetensors")
    sys.stdout.write(json.dumps({"seconds": seconds}) + "\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]))
