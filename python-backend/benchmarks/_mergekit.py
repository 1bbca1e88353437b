"""mergekit as a peer: its merge methods over our tensors, in a python that has it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from torch import Tensor

from agent_forge.evomerge.ops.registry import merge_op_named
from agent_forge.registry.tensors import load_tensors, write_tensors

State = dict[str, Tensor]
PROGRAM = Path(__file__).with_name("mergekit_peer.py")


class PeerError(RuntimeError):
    """mergekit gave no result; the last thing that it said."""


class Peer:
    """python: of a virtual environment with mergekit; directory: for files, made here."""

    def __init__(self, python: str, directory: Path, base: State, models: list[State]) -> None:
        self.base, self.models = base, models
        self._python, self._directory = python, directory
        directory.mkdir()
        write_tensors(directory / "base.safetensors", base, durable=False)
        for index, model in enumerate(models):
            write_tensors(directory / f"model{index}.safetensors", model, durable=False)

    def merge(self, op: str, settings: dict[str, Any], count: int) -> tuple[float, State]:
        """Seconds and result of a merge of the first `count` models. Raises PeerError."""
        request = {"op": op, "settings": settings, "models": count, "base": "base" in merge_op_named(op).needs}
        order = [self._python, str(PROGRAM), json.dumps(request), str(self._directory)]
        done = subprocess.run(order, capture_output=True, text=True, check=False)  # noqa: S603 - the caller's own python
        if done.returncode:
            raise PeerError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        seconds: float = json.loads(done.stdout.splitlines()[-1])["seconds"]
        return seconds, load_tensors(self._directory / "result.safetensors")
