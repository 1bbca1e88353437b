"""Create, save, hash and register three TinyTitans, beside the plain way: by a real backend, in the same run.

    cd python-backend && ../.venv/bin/python -m benchmarks.creation [--repeats 3] [--directory .]

Ours: weights drawn straight into the memory-mapped files, model digest and SHA-256 of each file, fsync, rename,
metadata file, row and event in the database. Plain: construct the same parameters as `nn.Module`s and `torch.save`
them; no hash, no fsync, no row. Both are the run's own measurements. The first turn also pays for memory that the
machine never touched before, which is what a user sees. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from ._backend import backend, created, ended, run_of


def create(client: httpx.Client, preset: str) -> dict[str, Any]:
    """One run without training; its report's `creation`, and how many parameters were made."""
    plan = {"preset": preset, "foundation_steps": 0, "train_steps": 0, "creation_baseline": True}
    started = created(client, "/cognate/runs", plan)["id"]
    run = ended(lambda: run_of(client, started))
    models = [client.get(f"/models/{model}").json() for model in run["model_ids"]]
    for model in models:
        client.delete(f"/models/{model['id']}").raise_for_status()
    creation: dict[str, Any] = client.get(f"/runs/{run['id']}/report").json()["creation"]
    return creation | {"models": len(models), "parameters": sum(model["parameters"] for model in models)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--preset", default="tinytitan")
    parser.add_argument("--directory", type=Path, default=Path(), help="files go to a temporary directory below it")
    options = parser.parse_args()
    turns = []
    with tempfile.TemporaryDirectory(dir=options.directory) as place, backend(Path(place).resolve()) as client:
        for _ in range(options.repeats):
            turns.append(create(client, options.preset))
            sys.stderr.write(f"ours {turns[-1]['seconds']:.2f} s, plain {turns[-1]['plain_seconds']:.2f} s\n")
    result = {
        "models": turns[0]["models"],
        "parameters": turns[0]["parameters"],
        "seconds": round(median(turn["seconds"] for turn in turns), 3),
        "plain_seconds": round(median(turn["plain_seconds"] for turn in turns), 3),
        "ratio": round(median(turn["plain_seconds"] / turn["seconds"] for turn in turns), 2),
        "first_seconds": round(turns[0]["seconds"], 3),
        "first_plain_seconds": round(turns[0]["plain_seconds"], 3),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
