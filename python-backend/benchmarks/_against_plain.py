"""TinyTitan beside a plain transformer of as many parameters, on the product's own mixture, from scratch.

Both see the same tokens in the same order under the same optimizers and schedule. FLOPs are those of matrix products on
the held-out problems, attention's included, as torch counts them; seconds are of this machine.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from agent_forge.cognate.bench import TrainingBench
from agent_forge.cognate.evaluation import Evaluator, ProblemSet
from agent_forge.cognate.presets import architecture, filled
from agent_forge.contract.cognate import CognateConfig

from ._peers import Peer, peers, train
from ._plain_transformer import surplus

PONDER_COST = 0.003


def compare(peer: Peer, config: CognateConfig, seed: int, steps: int, held: int) -> dict[str, Any]:
    """One model's figures. config: resolved."""
    mixture = TrainingBench(config, architecture(config), []).mixture(None, rehearses=False)
    trained = train(peer, config, mixture, stage="plain", seed=seed, steps=steps, ponder_cost=PONDER_COST)
    problems = ProblemSet(tuple(choice.name for choice in config.datasets), config.difficulty, held, config.tokenizer)
    tensors = trained.model.state_dict()
    evaluator = Evaluator(peer.arch, problems, problems, precision=config.precision, model=peer.kind)
    # The CPU's fused attention is the only product that the counter does not see.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        evaluator.evaluate(tensors, "heldout")
    start = time.perf_counter()
    found = evaluator.evaluate(tensors, "heldout")
    seconds = time.perf_counter() - start
    return {
        "model": peer.name,
        "seed": seed,
        "parameters": sum(tensor.numel() for tensor in tensors.values()),
        "tokens": trained.tokens,
        "tasks": {task.dataset: {"loss": task.loss, "accuracy": task.accuracy} for task in found.tasks},
        "depth": found.mean_depth,
        "flops_per_token": float(counter.get_total_flops()) / found.tokens,
        "train_seconds": trained.seconds,
        "evaluate_seconds": seconds,
    }


def run(config: CognateConfig, seeds: Sequence[int], steps: int, held: int) -> tuple[list[str], Any]:
    """(lines of markdown, figures). config: resolved. held: held-out problems of each data set."""
    arch = architecture(config)
    figures: list[dict[str, Any]] = []
    for seed in seeds:
        both = [compare(peer, config, seed, steps, held) for peer in peers(arch)]
        if both[0]["tokens"] != both[1]["tokens"]:
            raise AssertionError("the two models did not see the same tokens")
        figures += both
    names = [choice.name for choice in config.datasets]
    lines = [
        f"Plain transformer ({100 * surplus(arch):+.2f} % parameters), {config.preset}, {steps} steps of "
        f"{filled(config.batch_tokens):,} tokens; seeds {', '.join(map(str, seeds))}, means, held-out:",
        "",
        f"| model | parameters | {' | '.join(f'{name}: loss | accuracy' for name in names)} | depth "
        "| MFLOP a token | training, s | evaluation, s |",
        "|---|--:|" + "--:|--:|" * len(names) + "--:|--:|--:|--:|",
    ]
    for peer in peers(arch):
        own = [one for one in figures if one["model"] == peer.name]

        def mean(values: Sequence[float]) -> float:
            return sum(values) / len(values)

        cells = [f"{own[0]['parameters']:,}"]
        for name in names:
            accuracies = [one["tasks"][name]["accuracy"] for one in own]
            spread = f" ({min(accuracies):.2f}–{max(accuracies):.2f})" if len(own) > 1 else ""
            cells += [f"{mean([one['tasks'][name]['loss'] for one in own]):.3f}", f"{mean(accuracies):.3f}{spread}"]
        cells.append(f"{mean([one['depth'] for one in own]):.2f}")
        cells.append(f"{mean([one['flops_per_token'] for one in own]) / 1e6:.2f}")
        cells += [f"{mean([one[key] for one in own]):.1f}" for key in ("train_seconds", "evaluate_seconds")]
        lines.append(f"| {peer.name} | {' | '.join(cells)} |")
    return lines, {"preset": config.preset, "steps": steps, "surplus": surplus(arch), "models": figures}
