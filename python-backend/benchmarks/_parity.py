"""Parity learned up to a length and asked up to twice that: where adaptive depth would have to think longer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent_forge.cognate.batch import Encoded, encode
from agent_forge.cognate.datasets import parity
from agent_forge.cognate.datasets.problem import Problem, Split, split_of
from agent_forge.cognate.draws import Draws
from agent_forge.cognate.mixture import Mixture
from agent_forge.cognate.presets import architecture, filled
from agent_forge.cognate.tokenizer import ByteTokenizer
from agent_forge.contract.cognate import CognateConfig

from ._peers import answer, peers, train

SEED = 42
PONDER_COST = 0.01
_LENGTHS = 8
"""That are asked for, up to twice the longest that was learned."""


def problem(draws: Draws, bits: int) -> Problem:
    return parity.problem([draws.below(2) for _ in range(bits)])


@dataclass(frozen=True)
class Training:
    """Strings of 1 to `longest` bits, those of the train split."""

    longest: int
    name: str = "parity"
    family: None = None
    by_character: bool = True

    def draw(self, draws: Draws, split: Split) -> Problem:
        while True:
            found = problem(draws, draws.between(1, self.longest))
            if split_of(found.prompt) is split:
                return found

    def problems(self, split: Split, count: int) -> list[Problem]:
        draws = Draws("parity", split)
        return [self.draw(draws, split) for _ in range(count)]


def of_length(bits: int, count: int) -> list[Encoded]:
    """Different held-out strings, the same in every run; fewer where there are no more."""
    draws = Draws("parity", "test", bits)
    found: dict[str, Problem] = {}
    for _ in range(20 * count):
        one = problem(draws, bits)
        if split_of(one.prompt) is Split.heldout:
            found.setdefault(one.prompt, one)
        if len(found) == count:
            break
    return [encode(one, ByteTokenizer(), True, 2 * bits + 2) for one in found.values()]


def run(config: CognateConfig, steps: int, problems: int, *, longest: int = 16) -> tuple[list[str], Any]:
    """(lines of markdown, figures). config: resolved."""
    arch = architecture(config)
    mixture = Mixture([Training(longest)], [1.0], ByteTokenizer(), filled(config.batch_tokens), 2 * longest)
    lines = [
        f"Parity: trained on 1 to {longest} bits, {steps} steps, asked up to {2 * longest}; held-out, chance 0.5:",
        "",
        f"| bits | problems | TinyTitan | depth, of {arch.n_layers} | plain transformer |",
        "|--:|--:|--:|--:|--:|",
    ]
    titan, plain = (
        train(peer, config, mixture, stage="parity", seed=SEED, steps=steps, ponder_cost=PONDER_COST).model
        for peer in peers(arch)
    )
    figures: list[dict[str, Any]] = []
    for bits in (2 * longest * part // _LENGTHS for part in range(1, _LENGTHS + 1)):
        asked = of_length(bits, problems)
        if not asked:
            continue
        ours, theirs = answer(titan, asked), answer(plain, asked)
        lines.append(f"| {bits} | {len(asked)} | {ours.accuracy:.3f} | {ours.depth:.2f} | {theirs.accuracy:.3f} |")
        row = {"bits": bits, "problems": len(asked), "accuracy": ours.accuracy, "depth": ours.depth}
        figures.append({**row, "plain": theirs.accuracy})
    return lines, {"steps": steps, "longest": longest, "ponder_cost": PONDER_COST, "lengths": figures}
