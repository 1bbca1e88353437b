"""TinyTitan and the plain transformer, trained alike: the same optimizers, schedule, tokens and order of data."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agent_forge.cognate.batch import Encoded, collate
from agent_forge.cognate.initialization import draw_all
from agent_forge.cognate.mixture import Mixture
from agent_forge.cognate.model import TinyTitanModel
from agent_forge.cognate.tokenizer import ByteTokenizer
from agent_forge.cognate.training import Trainer
from agent_forge.contract.architecture import TinyTitan
from agent_forge.contract.cognate import CognateConfig

from ._plain_transformer import PlainTransformer, first_weights, matched

_PROBLEMS_PER_CALL = 16


@dataclass(frozen=True)
class Peer:
    name: str
    kind: type[TinyTitanModel]
    arch: TinyTitan

    def first_weights(self, seed: int) -> dict[str, Tensor]:
        return first_weights(self.arch, seed) if self.kind is PlainTransformer else draw_all(self.arch, seed)


def peers(arch: TinyTitan) -> tuple[Peer, Peer]:
    return Peer("TinyTitan", TinyTitanModel, arch), Peer("plain transformer", PlainTransformer, matched(arch))


@dataclass(frozen=True)
class Trained:
    model: TinyTitanModel
    seconds: float
    tokens: int


def train(
    peer: Peer, config: CognateConfig, mixture: Mixture, *, stage: str, seed: int, steps: int, ponder_cost: float
) -> Trained:
    """From scratch. config: resolved."""
    trainer = Trainer(
        peer.arch,
        peer.first_weights(seed),
        config,
        mixture,
        stage=stage,
        seed=seed,
        total_steps=steps,
        device=torch.device("cpu"),
        ponder_cost=ponder_cost,
        model=peer.kind,
    )
    start = time.perf_counter()
    tokens = 0
    while trainer.steps < steps:
        found = trainer.step()
        tokens += found.tokens
        if trainer.steps % 25 == 0:
            sys.stderr.write(f"\r{stage}, {peer.name}: {trainer.steps}/{steps} loss {found.loss:.3f}  ")
    sys.stderr.write("\n")
    return Trained(trainer.model.requires_grad_(False), time.perf_counter() - start, tokens)


@dataclass(frozen=True)
class Answers:
    accuracy: float
    """Share of the scored tokens."""
    depth: float
    """Mean number of blocks that a token passed."""


def answer(model: TinyTitanModel, problems: Sequence[Encoded], *, memory: bool = True) -> Answers:
    right = labels = depth = tokens = 0
    with torch.inference_mode():
        for start in range(0, len(problems), _PROBLEMS_PER_CALL):
            batch = collate(problems[start : start + _PROBLEMS_PER_CALL], ByteTokenizer.pad)
            batch = batch.relabelled(batch.scored)
            said = model(batch.tokens, batch.layout, batch.labels, memory=memory)
            right += int((said.logits.argmax(dim=-1) == batch.targets).sum())
            labels += len(batch.targets)
            depth += int(said.depth.sum())
            tokens += int(batch.layout.real.count_nonzero())
    return Answers(right / labels, depth / tokens)
