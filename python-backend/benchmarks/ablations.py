"""What the parts of TinyTitan are worth: models trained with and without, and beside a plain transformer.

    cd python-backend && ../.venv/bin/python -m benchmarks.ablations [--parts memory plain mqar parity]
        [--preset tinytitan] [--settings '{"foundation_steps": 100, "train_steps": 200}'] [--problems 128]
        [--small-preset nano] [--seeds 42 1337] [--steps 600] [--pairs 8] [--gap 64] [--bits 16]

memory: specialists of the Cognate phase (`--preset`, `--settings`): memory on and off, depth, early exit.
plain:  a matched plain transformer on the same mixture, tokens and schedule, by seed.
mqar:   multi-query associative recall by pairs and distance, memory on and off, and the plain transformer.
parity: learned up to `--bits` bits, asked up to twice as many: accuracy and depth by length.

The last three train `--small-preset` from scratch, `--steps` each; on one quiet core they take ten minutes together,
and the first takes 18 at 58 M. Prints markdown; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from agent_forge.cognate.presets import resolve
from agent_forge.contract.architecture import Preset
from agent_forge.contract.cognate import CognateConfig

from . import _against_plain, _memory_and_depth, _mqar, _parity
from ._as_worker import as_worker

PARTS = ("memory", "plain", "mqar", "parity")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--preset", type=Preset, default=Preset.tinytitan)
    parser.add_argument("--settings", type=json.loads, default={})
    parser.add_argument("--problems", type=int, default=128, help="held-out ones of each data set or length")
    parser.add_argument("--directory", type=Path, default=Path(), help="files go to a temporary directory below it")
    parser.add_argument("--small-preset", type=Preset, default=Preset.nano)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 1337], help="of the part plain")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--pairs", type=int, default=8, help="that mqar trains on, at most")
    parser.add_argument("--gap", type=int, default=64, help="filler that mqar trains on, at most")
    parser.add_argument("--bits", type=int, default=16, help="that parity trains on, at most")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)
    small = resolve(CognateConfig(preset=options.small_preset, device="cpu"))
    runs = {
        "memory": lambda: _memory_and_depth.run(options.preset, options.settings, options.problems, options.directory),
        "plain": lambda: _against_plain.run(small, options.seeds, options.steps, options.problems),
        "mqar": lambda: _mqar.run(small, options.steps, 2 * options.problems, pairs=options.pairs, gap=options.gap),
        "parity": lambda: _parity.run(small, options.steps, options.problems, longest=options.bits),
    }
    result: dict[str, Any] = {"threads": torch.get_num_threads()}
    for part in options.parts:
        start = time.perf_counter()
        lines, result[part] = runs[part]()
        result[part]["seconds"] = time.perf_counter() - start
        sys.stdout.write("\n".join([*lines, "", ""]))
        sys.stdout.flush()
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    as_worker("ablations")
    main()
