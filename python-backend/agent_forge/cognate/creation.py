"""Models that are drawn, saved and registered without training, and the plain way to do it, timed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import nn

from ..contract.architecture import TinyTitan, tensor_shapes
from ..contract.job import Job
from ..contract.model import Model
from ..registry.store import drawing
from .initialization import draw
from .plan import Drafts, Stage


def create(stages: Sequence[Stage], drafts: Drafts, job: Job) -> list[Model]:
    """Draw each model from its own seed straight into its memory-mapped file, and register them in order.

    One thread draws ahead while another hashes and syncs: neither holds the interpreter.
    """
    arch = drafts.architecture
    scratch = job.scratch()

    def drawn(number: int, stage: Stage) -> Path:
        path = scratch / f"drawn-{number}.safetensors"
        with drawing(path, arch) as views:
            for name, shape in tensor_shapes(arch).items():
                draw(shape, stage.seed, name, views[name], arch.n_layers)
        return path

    models = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for stage, future in [(s, pool.submit(drawn, n, s)) for n, s in enumerate(stages)]:
            job.poll()
            models.append(job.register_file(drafts.draft(stage, None, {}), future.result()))
    return models


class _Plain(nn.Module):
    """The same parameters from the framework's own layers, at their own initial values."""

    def __init__(self, arch: TinyTitan) -> None:
        super().__init__()
        d = arch.d_model
        self.embedding = nn.Embedding(arch.vocab_size, d)
        layer = [
            nn.TransformerEncoderLayer(d, arch.n_heads, arch.d_ff, activation="gelu", norm_first=True, batch_first=True)
            for _ in range(arch.n_layers)
        ]
        self.transformer_blocks = nn.ModuleList(layer)
        self.act_halting = nn.Linear(d, 1)
        self.memory_gate = nn.Linear(d, d)
        self.output_layer = nn.Linear(d, arch.vocab_size)


def plain_seconds(stages: Sequence[Stage], arch: TinyTitan, directory: Path) -> float:
    """Time to construct as many modules of that size with their framework defaults and `torch.save` each, synced by
    nobody. Files go to a temporary directory below `directory`. The caller's random state is left as it was."""
    with tempfile.TemporaryDirectory(dir=directory) as place, torch.random.fork_rng(devices=[]):
        start = time.perf_counter()
        for number, stage in enumerate(stages):
            torch.manual_seed(stage.seed)
            torch.save(_Plain(arch).state_dict(), Path(place) / f"{number}.pt")
        return time.perf_counter() - start
