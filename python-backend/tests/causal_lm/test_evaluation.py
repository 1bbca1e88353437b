"""Answers of a whole data set: what they depend on, and what they do not."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import causal_lms
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from agent_forge.causal_lm.errors import NotRunnable
from agent_forge.causal_lm.evaluation import CausalEvaluator, Measured
from agent_forge.causal_lm.network import open_network
from agent_forge.causal_lm.posed import batches
from agent_forge.causal_lm.problems import Choice, Completion, Passage
from agent_forge.cognate.datasets.problem import Split
from agent_forge.contract.errors import NotMeasurable
from agent_forge.contract.evomerge import CausalLMSettings

NAMES = ("file:sums.jsonl", "file:choices.jsonl", "file:text.txt", "arithmetic")


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("data")
    sums = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a in range(12) for b in range(12)]
    choices = [
        {"prompt": f"{a}+{b} is", "choices": [f" {a}", f" {a + b + 1}", f" {a + 2 * b + 3}"], "answer": (a + b) % 3}
        for a in range(12)
        for b in range(12)
    ]
    (root / "sums.jsonl").write_text("\n".join(map(json.dumps, sums)))
    (root / "choices.jsonl").write_text("\n".join(map(json.dumps, choices)))
    (root / "text.txt").write_text(" ".join(f"{word} {number}" for number in range(4000) for word in ("the fox",)))
    return [root]


def evaluator(family: str, folder: Path, roots: list[Path], names: Any = NAMES, **settings: Any) -> CausalEvaluator:
    measured = Measured(names, 1, 8, 6, CausalLMSettings(**settings))
    return CausalEvaluator(causal_lms.architecture(family), folder, measured, roots=roots)


def weights(family: str, seed: int = 0) -> dict[str, Tensor]:
    return causal_lms.tensors(causal_lms.network(family, seed))


@pytest.mark.parametrize("family", ["gemma", "gpt2"])
def test_blocks_joined_are_the_whole(family: str, folder: Path, roots: list[Path]) -> None:
    own, measuring = weights(family), evaluator(family, folder, roots)
    whole = measuring.answers(own, "selection")
    assert len(whole) > 20
    assert np.isfinite(whole.losses).all()
    parts = [measuring.answers(own, "selection", start, stop) for start, stop in ((0, 3), (3, 8))]
    joined = parts[0].joined(parts[1])
    again = evaluator(family, folder, roots).answers(own, "selection")
    assert np.array_equal(whole.losses, again.losses)
    # other batches, so other last bits; the same problems, so the same scores
    for one, other in zip(joined.scores().tasks, whole.scores().tasks, strict=True):
        assert (one.dataset, one.problems, one.accuracy) == (other.dataset, other.problems, other.accuracy)
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
    assert joined.scores().flops_per_token == whole.scores().flops_per_token
    assert {task.mean_depth for task in whole.scores().tasks} == {3.0}


def test_the_batch_size_changes_last_bits_alone(folder: Path, roots: list[Path]) -> None:
    own = weights("llama")
    found = [evaluator("llama", folder, roots, batch_size=size).answers(own, "heldout") for size in (1, 8)]
    assert found[0].losses == pytest.approx(found[1].losses, rel=1e-5, abs=1e-6)
    assert np.array_equal(found[0].solved, found[1].solved)


def test_losses_are_those_of_each_problem_by_itself(folder: Path, roots: list[Path]) -> None:
    own, measuring = weights("llama"), evaluator("llama", folder, roots)
    answers = measuring.answers(own, "selection")
    encoded = [one for part in measuring._laid_out[next(iter(measuring._laid_out))][0] for one in part]
    network = open_network(measuring.architecture, own, torch.float32)

    def loss(tokens: tuple[int, ...], begin: int) -> float:
        row = torch.tensor([tokens])
        with torch.inference_mode():
            logits = network.module(input_ids=row).logits[0, begin - 1 : -1]
        return float(F.cross_entropy(logits, row[0, begin:], reduction="sum"))

    for place, one in enumerate(encoded):
        if isinstance(one, Passage):
            expected, count, right = loss(one.tokens, 1), len(one.tokens) - 1, False
        elif isinstance(one, Completion):
            expected, count, right = loss((*one.prompt, *one.answer), len(one.prompt)), len(one.answer), None
        else:
            every = [loss((*one.prompt, *choice), len(one.prompt)) for choice in one.choices]
            expected = -float(torch.log_softmax(-torch.tensor(every), 0)[one.right])
            normed = [value / length for value, length in zip(every, one.characters, strict=True)]
            count, right = 1, normed.index(min(normed)) == one.right
        assert answers.losses[place] == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert answers.labels[place] == count
        assert right is None or answers.solved[place] == right
    assert any(isinstance(one, Choice) for one in encoded)


def test_a_model_that_knows_its_answers_solves_them(folder: Path, roots: list[Path], text: Any) -> None:
    """Trained here for a moment, so that what is said, stopped and counted meets a model that can."""
    made = causal_lms.network("llama")
    measuring = evaluator("llama", folder, roots, ("file:sums.jsonl",))
    problems = [one for one in measuring._posed.problems(Split.selection, 0, 8)[0] if isinstance(one, Completion)]
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() == 2:
                parameter.div_(5.0)
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-2)
    assert measuring.answers(causal_lms.tensors(made), "selection").scores().tasks[0].accuracy < 0.5
    rows = [torch.tensor([*one.prompt, *one.answer, 2]) for one in problems]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    targets = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-100)
    for row, one in enumerate(problems):
        targets[row, : len(one.prompt)] = -100
    for _ in range(150):
        logits = made(input_ids=tokens).logits[:, :-1]
        loss = F.cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    after = measuring.answers(causal_lms.tensors(made), "selection").scores().tasks[0]
    assert after.accuracy == 1
    assert after.loss < 0.5


def test_batches_hold_every_problem_once(folder: Path, roots: list[Path]) -> None:
    measuring = evaluator("llama", folder, roots)
    encoded = measuring._posed.problems(Split.selection, 0, 8)
    laid_out = batches(encoded, 4)
    flat = [one for part in encoded for one in part]
    places = [place for batch in laid_out for place in batch.places]
    assert sorted(places) == list(range(len(flat)))
    for batch in laid_out:
        assert [flat[place] for place in batch.places] == list(batch.problems)
        assert len({type(one) for one in batch.problems}) == 1
        assert len(batch.problems) <= 4


def test_what_is_not_finite_has_no_scores(folder: Path, roots: list[Path]) -> None:
    own = weights("llama")
    own["model.norm.weight"] = torch.full((32,), math.inf)
    with pytest.raises(NotMeasurable, match=r"on file:sums\.jsonl the loss is not finite"):
        evaluator("llama", folder, roots).answers(own, "selection")


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_fisher_is_the_mean_of_squared_gradients(family: str, folder: Path, roots: list[Path]) -> None:
    own, measuring = weights(family), evaluator(family, folder, roots, ("file:sums.jsonl", "file:choices.jsonl"))
    calibration = measuring.calibration | {"problems": 2}
    found = measuring.fisher(own, calibration)
    assert found.keys() == own.keys()
    total = {name: torch.zeros_like(tensor) for name, tensor in own.items()}
    network = open_network(measuring.architecture, own, torch.float32)
    network.module.requires_grad_(True)
    problems = [one for part in measuring._posed.problems(Split.train, 0, 2) for one in part]
    for one in problems:
        answer = one.choices[one.right] if isinstance(one, Choice) else one.answer  # type: ignore[union-attr]
        row = torch.tensor([[*one.prompt, *answer]])  # type: ignore[union-attr]
        network.module.zero_grad()
        logits = network.module(input_ids=row).logits[0, len(one.prompt) - 1 : -1]  # type: ignore[union-attr]
        F.cross_entropy(logits, torch.tensor(answer)).backward()  # type: ignore[no-untyped-call]
        for name, parameter in network.module.named_parameters():
            total[network.names[name]] += parameter.grad.square() / len(problems)
    for name, expected in total.items():
        torch.testing.assert_close(found[name], expected, rtol=1e-3, atol=1e-8)
    again = measuring.fisher(own, calibration)
    assert all(torch.equal(again[name], tensor) for name, tensor in found.items())


def test_grams_are_those_of_what_each_matrix_reads(folder: Path, roots: list[Path]) -> None:
    own, measuring = weights("llama"), evaluator("llama", folder, roots, ("file:sums.jsonl",))
    found = measuring.grams(own, measuring.calibration | {"problems": 3})
    matrices = {name for name, one in own.items() if one.dim() == 2 and "embed" not in name and "lm_head" not in name}
    assert found.keys() == matrices
    seen: list[Tensor] = []
    network = open_network(measuring.architecture, own, torch.float32)
    network.module.model.layers[1].mlp.down_proj.register_forward_pre_hook(lambda _, given: seen.append(given[0][0]))
    for one in measuring._posed.problems(Split.train, 0, 3)[0]:
        assert isinstance(one, Completion)
        with torch.inference_mode():
            network.module(input_ids=torch.tensor([[*one.prompt, *one.answer]]))
    inputs = torch.cat(seen).double()
    torch.testing.assert_close(found["model.layers.1.mlp.down_proj.weight"], inputs.T @ inputs)


def test_the_gradient_falls_with_the_loss(folder: Path, roots: list[Path]) -> None:
    own, measuring = weights("qwen2"), evaluator("qwen2", folder, roots, ("file:sums.jsonl", "file:text.txt"))
    slope = measuring.gradient(own, 1, 0, 2, 0.0)
    assert slope.keys() == own.keys()
    again = measuring.gradient(own, 1, 0, 2, 0.0)
    assert all(torch.equal(slope[name], again[name]) for name in own)
    other = measuring.gradient(own, 1, 1, 2, 0.0)
    assert any(not torch.equal(slope[name], other[name]) for name in own)
    assert all(slope[name].abs().sum() > 0 for name in own)


def test_prompts_go_through_the_chat_template(folder: Path, roots: list[Path]) -> None:
    own = weights("llama")
    plain, chat = (evaluator("llama", folder, roots, ("file:sums.jsonl",), chat=chat) for chat in (False, True))
    assert not np.array_equal(plain.answers(own, "heldout").losses, chat.answers(own, "heldout").losses)
    first = chat._posed.problems(Split.heldout, 0, 1)[0][0]
    assert isinstance(first, Completion)
    assert first.prompt[0] == 1
    assert first.prompt[1] != 1
    with pytest.raises(NotRunnable):
        chat.answers(own | {"more": torch.ones(2)}, "heldout")
