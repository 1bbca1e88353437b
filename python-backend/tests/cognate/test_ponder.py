"""What adaptive computation time is for, on a model that learns in seconds."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from agent_forge.cognate.batch import Batch, collate, encode
from agent_forge.cognate.datasets.problem import Split
from agent_forge.cognate.datasets.registry import builtin
from agent_forge.cognate.evaluation import Evaluation, Evaluator, ProblemSet
from agent_forge.cognate.initialization import draw_all
from agent_forge.cognate.mixture import Mixture
from agent_forge.cognate.model import TinyTitanModel
from agent_forge.cognate.presets import resolve
from agent_forge.cognate.tokenizer import ByteTokenizer
from agent_forge.cognate.training import Trainer
from agent_forge.contract.architecture import Preset, TinyTitan
from agent_forge.contract.cognate import CognateConfig

ARCH = TinyTitan(preset=Preset.nano, vocab_size=264, d_model=64, n_layers=4, n_heads=2, d_ff=128, window=8)
NAMES = ("recall", "composition")


@dataclass(frozen=True)
class Trained:
    tensors: dict[str, Tensor]
    scores: Evaluation


def train(ponder_cost: float) -> Trained:
    trainer = Trainer(
        ARCH,
        draw_all(ARCH, 1),
        resolve(CognateConfig()),
        Mixture([builtin(name, 1, ARCH.window) for name in NAMES], [0.5, 0.5], ByteTokenizer(), 640, 256),
        stage="adaptive_computation",
        seed=1,
        total_steps=160,
        device=torch.device("cpu"),
        ponder_cost=ponder_cost,
    )
    for _ in range(160):
        trainer.step()
    problems = ProblemSet(NAMES, 1, 64)
    return Trained(trainer.tensors(), Evaluator(ARCH, problems, problems).evaluate(trainer.tensors(), "heldout"))


@pytest.fixture(scope="module")
def free() -> Trained:
    return train(0.0)


@pytest.fixture(scope="module")
def costly() -> Trained:
    return train(0.1)


def test_a_ponder_cost_lowers_depth_at_equal_accuracy(free: Trained, costly: Trained) -> None:
    easy = [trained.scores.tasks[0] for trained in (free, costly)]
    assert [score.accuracy for score in easy] == pytest.approx([1.0, 1.0], abs=0.03)
    assert easy[0].mean_depth - easy[1].mean_depth > 0.8


def test_hard_problems_take_more_depth(costly: Trained) -> None:
    recall, composition = costly.scores.tasks
    assert composition.accuracy < recall.accuracy
    assert composition.mean_depth - recall.mean_depth > 0.3


def test_early_exit_gives_the_same_answers_for_fewer_operations(costly: Trained) -> None:
    batch = _recall_batch()
    model = TinyTitanModel(ARCH).bind(costly.tensors).requires_grad_(False)
    answers, operations = [], []
    for skip in (False, True):
        with FlopCounterMode(display=False) as counter:
            output = model(batch.tokens, batch.layout, batch.labels, skip=skip)
        answers.append(output.logits.argmax(dim=-1))
        operations.append(counter.get_total_flops())
    assert torch.equal(*answers)
    assert operations[1] < 0.8 * operations[0]


def _recall_batch() -> Batch:
    recall, tokenizer = builtin("recall", 1, ARCH.window), ByteTokenizer()
    problems = [encode(one, tokenizer, recall.by_character, 256) for one in recall.problems(Split.heldout, 32)]
    return collate(problems, tokenizer.pad)
