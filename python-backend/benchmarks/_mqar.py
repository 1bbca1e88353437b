"""Multi-query associative recall (Arora et al. 2023, Zoology, arXiv:2312.04927): pairs, filler, every key asked again.

Unlike there, filler comes from an alphabet of its own, and queries follow one another: what separates a key's value
from its question is `gap` characters of filler, and of the other pairs and queries up to four characters each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

from agent_forge.cognate.batch import Encoded, encode
from agent_forge.cognate.datasets.problem import Problem, Split
from agent_forge.cognate.draws import Draws
from agent_forge.cognate.mixture import Mixture
from agent_forge.cognate.presets import architecture, filled
from agent_forge.cognate.tokenizer import ByteTokenizer
from agent_forge.contract.cognate import CognateConfig

from ._peers import answer, peers, train

KEYS = ascii_lowercase + digits
VALUES = ascii_uppercase
FILLER = ".,;:"
PAIRS = (2, 4, 8, 16, 32)
GAPS = (0, 32, 64, 128, 512)
MAX_LENGTH = 4096
SEED = 42
PONDER_COST = 0.003


def problem(draws: Draws, pairs: int, gap: int) -> Problem:
    """`kQaB..,aBk` → `Q`: keys are different, values need not be; every query is a label."""
    stored = [(key, draws.choice(VALUES)) for key in draws.sample(KEYS, pairs)]
    text = "".join(key + value for key, value in stored) + "".join(draws.choice(FILLER) for _ in range(gap))
    asked = draws.sample(stored, pairs)
    hints: list[tuple[int, str]] = []
    for key, value in asked[:-1]:
        text += key
        hints.append((len(text) - 1, value))
        text += value
    return Problem(text + asked[-1][0], asked[-1][1], tuple(hints))


@dataclass(frozen=True)
class Training:
    """Problems of up to `pairs` pairs and `gap` characters of filler: too many to meet one twice."""

    pairs: int
    gap: int
    name: str = "mqar"
    family: None = None
    by_character: bool = True

    def draw(self, draws: Draws, split: Split) -> Problem:
        return problem(draws, draws.between(1, self.pairs), draws.below(self.gap + 1))

    def problems(self, split: Split, count: int) -> list[Problem]:
        draws = Draws("mqar", split)
        return [self.draw(draws, split) for _ in range(count)]


def cell(pairs: int, gap: int, count: int) -> list[Encoded]:
    """Problems of one cell of the grid: the same in every run, every query scored and nothing else."""
    draws = Draws("mqar", "test", pairs, gap)
    encoded = [encode(problem(draws, pairs, gap), ByteTokenizer(), True, MAX_LENGTH) for _ in range(count)]
    return [replace(one, scored=[target != ByteTokenizer.end for target in one.targets]) for one in encoded]


def run(config: CognateConfig, steps: int, queries: int, *, pairs: int = 8, gap: int = 64) -> tuple[list[str], Any]:
    """(lines of markdown, figures). config: resolved. queries: asked in each cell, at least."""
    arch = architecture(config)
    mixture = Mixture([Training(pairs, gap)], [1.0], ByteTokenizer(), filled(config.batch_tokens), MAX_LENGTH)
    titan, plain = (
        train(peer, config, mixture, stage="mqar", seed=SEED, steps=steps, ponder_cost=PONDER_COST).model
        for peer in peers(arch)
    )
    readers = [("TinyTitan", titan, True), ("without its memory", titan, False), ("plain transformer", plain, True)]
    lines = [
        f"MQAR: trained on 1 to {pairs} pairs and 0 to {gap} characters of filler, {steps} steps; "
        f"window {arch.window}, chance {1 / len(VALUES):.3f}. Share of queries answered, by filler:",
        "",
        "| pairs | model | " + " | ".join(map(str, GAPS)) + " |",
        "|--:|---|" + "--:|" * len(GAPS),
    ]
    figures: list[dict[str, Any]] = []
    for count in PAIRS:
        cells = [cell(count, gap, -(-queries // count)) for gap in GAPS]
        for name, model, memory in readers:
            found = [answer(model, problems, memory=memory).accuracy for problems in cells]
            lines.append(f"| {count} | {name} | " + " | ".join(f"{one:.3f}" for one in found) + " |")
            figures.append({"pairs": count, "model": name, "accuracy": dict(zip(map(str, GAPS), found, strict=True))})
    return lines, {"steps": steps, "trained": {"pairs": pairs, "gap": gap}, "window": arch.window, "grid": figures}
