"""What the memory and adaptive depth are worth: specialists made by the Cognate phase, with and without.

A foundation, a specialist of memory_integration, and adaptive_computation twice from the same seed: with the ponder
cost of the other families and with its own. All figures are of held-out problems.
Memory: `recall`, whose needles lie beyond the window, with the memory and without. Depth: blocks per token at both
ponder costs, by data set, and for `composition` by difficulty. Early exit: the same evaluation where halted tokens are
computed all the same, in matrix products' FLOPs as torch counts them and in seconds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from agent_forge.cognate import phase as cognate
from agent_forge.cognate.evaluation import Evaluation, Evaluator, ProblemSet
from agent_forge.cognate.presets import architecture, resolve
from agent_forge.contract.architecture import Preset
from agent_forge.contract.cognate import CognateConfig, Specialization, TrainingEvaluation, TrainingStep

from ._folder_job import FolderJob

ADAPTIVE = Specialization.adaptive_computation
COSTS = (0.003, 0.05)
DIFFICULTIES = (1, 2, 3, 4, 5)


class Told(FolderJob):
    """Says on stderr how training goes."""

    def step(self, step: TrainingStep) -> None:
        sys.stderr.write(f"\r{step.stage} {step.step}/{step.total_steps} loss {step.loss:.3f}  ")

    def evaluated(self, evaluation: TrainingEvaluation) -> None:
        tasks = ", ".join(f"{task.dataset} {task.accuracy:.2f}" for task in evaluation.tasks)
        sys.stderr.write(f"\r{evaluation.stage} {evaluation.step}: {tasks}; depth {evaluation.mean_depth:.2f}\n")


def train(config: CognateConfig, folder: Path) -> list[dict[str, Tensor]]:
    """The specialists' tensors, in the order of the configuration."""
    job = Told("ablations", folder)
    cognate.run(config, job)
    stages = [config.specializations[0], config.specializations[1], f"{config.specializations[2]}-2"]
    return [job.load_model(next(folder.glob(f"*_{stage}_ablations_*.json")).stem)[1] for stage in stages]


def costs(evaluator: Evaluator, model: dict[str, Tensor], *, early_exit: bool) -> tuple[Evaluation, float, float]:
    """(scores, FLOPs, seconds)"""
    with FlopCounterMode(display=False) as counter:
        evaluator.evaluate(model, "heldout", early_exit=early_exit)
    start = time.perf_counter()
    found = evaluator.evaluate(model, "heldout", early_exit=early_exit)
    return found, float(counter.get_total_flops()), time.perf_counter() - start


def run(preset: Preset, settings: Mapping[str, Any], held: int, directory: Path) -> tuple[list[str], Any]:
    """(lines of markdown, figures). held: held-out problems a data set. directory: where a temporary one is made."""
    config = resolve(
        CognateConfig.model_validate(
            {
                "preset": preset,
                "specializations": [Specialization.memory_integration, ADAPTIVE, ADAPTIVE],
                "seeds": [1337, 2023, 2023],
                "ponder_costs": [COSTS[0], *COSTS],
                "session_id": "ablations",
                "eval_problems": 32,
                "device": "cpu",
                **settings,
            }
        )
    )
    names = tuple(choice.name for choice in config.datasets)

    def evaluator(difficulty: int, datasets: tuple[str, ...] = names) -> Evaluator:
        problems = ProblemSet(datasets, difficulty, held, config.tokenizer)
        return Evaluator(architecture(config), problems, problems)

    with tempfile.TemporaryDirectory(dir=directory) as place:
        remembering, free, costly = train(config, Path(place))
    usual = evaluator(config.difficulty)
    memory = {
        name: usual.evaluate(remembering, "heldout", memory=on).tasks[names.index("recall")].accuracy
        for name, on in (("with", True), ("without", False))
    }
    lines = [
        f"recall beyond the window: {memory['with']:.3f} with the memory, {memory['without']:.3f} without",
        "",
        "| problems | " + " | ".join(f"cost {cost}: accuracy | depth" for cost in COSTS) + " |",
        "|---|--:|--:|--:|--:|",
    ]
    depths: list[dict[str, Any]] = []
    sets = [(config.difficulty, names), *((difficulty, ("composition",)) for difficulty in DIFFICULTIES)]
    for difficulty, datasets in sets:
        both = [evaluator(difficulty, datasets).evaluate(model, "heldout").tasks for model in (free, costly)]
        for pair in zip(*both, strict=True):
            row = {"dataset": pair[0].dataset, "difficulty": difficulty}
            row |= {str(cost): [one.accuracy, one.mean_depth] for cost, one in zip(COSTS, pair, strict=True)}
            depths.append(row)
            figures = " | ".join(f"{one.accuracy:.3f} | {one.mean_depth:.2f}" for one in pair)
            lines.append(f"| {pair[0].dataset}, difficulty {difficulty} | {figures} |")
    whole, exits = (costs(usual, costly, early_exit=early) for early in (False, True))
    same = [a.accuracy for a in whole[0].tasks] == [b.accuracy for b in exits[0].tasks]
    loss = max(abs(a.loss - b.loss) for a, b in zip(whole[0].tasks, exits[0].tasks, strict=True))
    lines += [
        "",
        f"early exit: {'the same' if same else 'OTHER'} accuracies, losses within {loss:.1e}; "
        f"{exits[1] / whole[1]:.2f} of the FLOPs, {exits[2] / whole[2]:.2f} of the time",
    ]
    result = {
        "preset": preset,
        "threads": torch.get_num_threads(),
        "steps": [config.foundation_steps, config.train_steps],
        "memory": memory,
        "depths": depths,
        "early_exit": {"same": same, "loss": loss, "flops": exits[1] / whole[1], "seconds": exits[2] / whole[2]},
    }
    return lines, result
