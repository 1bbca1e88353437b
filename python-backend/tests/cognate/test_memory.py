from __future__ import annotations

import torch

from agent_forge.cognate.datasets.registry import builtin
from agent_forge.cognate.evaluation import Evaluator, ProblemSet
from agent_forge.cognate.initialization import draw_all
from agent_forge.cognate.mixture import Mixture
from agent_forge.cognate.presets import resolve
from agent_forge.cognate.tokenizer import ByteTokenizer
from agent_forge.cognate.training import Trainer
from agent_forge.contract.architecture import Preset, TinyTitan
from agent_forge.contract.cognate import CognateConfig

ARCH = TinyTitan(preset=Preset.nano, vocab_size=264, d_model=64, n_layers=2, n_heads=2, d_ff=128, window=8)


def test_recall_beyond_the_window_comes_from_the_memory() -> None:
    trainer = Trainer(
        ARCH,
        draw_all(ARCH, 1),
        resolve(CognateConfig()),
        Mixture([builtin("recall", 1, ARCH.window)], [1.0], ByteTokenizer(), 640, 256),
        stage="memory_integration",
        seed=1,
        total_steps=120,
        device=torch.device("cpu"),
    )
    for _ in range(60):
        trainer.step()
    problems = ProblemSet(("recall",), 1, 64)
    evaluator = Evaluator(ARCH, problems, problems)
    whole = evaluator.evaluate(trainer.tensors(), "heldout").tasks[0].accuracy
    ablated = evaluator.evaluate(trainer.tensors(), "heldout", memory=False).tasks[0].accuracy
    assert whole - ablated >= 0.2
    assert ablated < 0.3
