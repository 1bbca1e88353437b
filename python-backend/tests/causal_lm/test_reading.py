"""Batches against each problem by itself, and decoding against transformers' own."""

from __future__ import annotations

import causal_lms
import pytest
import torch
from torch.nn import functional as F

from agent_forge.causal_lm.decoding import says
from agent_forge.causal_lm.network import Network, open_network
from agent_forge.causal_lm.reading import answer_losses, passage_loss, read_prompts
from agent_forge.causal_lm.text import Text

FAMILIES = list(causal_lms.FAMILIES)
CPU = torch.device("cpu")
PROMPTS = ([1, 5, 9, 40], [1, 8], [1, 100, 7, 7, 7, 30, 12], [1, 61])
ANSWERS = ([3, 9], [44], [17, 80, 5], [90, 2])


def opened(family: str) -> Network:
    made = causal_lms.network(family)
    return open_network(causal_lms.architecture(family), causal_lms.tensors(made), torch.float32)


def alone(network: Network, prompt: list[int], answer: list[int]) -> float:
    row = torch.tensor([[*prompt, *answer]])
    logits = network.module(input_ids=row).logits[0, len(prompt) - 1 : -1]
    return float(F.cross_entropy(logits, torch.tensor(answer), reduction="sum"))


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_losses_of_a_batch_are_those_of_each_row(family: str) -> None:
    network = opened(family)
    found = answer_losses(network, read_prompts(network, PROMPTS, CPU), range(4), ANSWERS)
    expected = [alone(network, prompt, answer) for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)]
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_several_answers_to_one_prompt_leave_it_as_it_was(family: str) -> None:
    network = opened(family)
    read = read_prompts(network, PROMPTS, CPU)
    owners = [0, 0, 0, 1, 2, 2]
    answers = [[5], [6, 7], [8, 9, 10], [11, 12], [13], [14, 15]]
    expected = [alone(network, PROMPTS[owner], answer) for owner, answer in zip(owners, answers, strict=True)]
    for _ in range(2):
        assert answer_losses(network, read, owners, answers) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@torch.inference_mode()
def test_a_passage_is_read_from_its_second_token() -> None:
    network = opened("llama")
    assert passage_loss(network, PROMPTS[2], CPU) == pytest.approx(alone(network, PROMPTS[2][:1], PROMPTS[2][1:]))


def generated(network: Network, prompt: list[int], count: int) -> list[int]:
    row = torch.tensor([prompt])
    out = network.module.generate(
        row, attention_mask=torch.ones_like(row), max_new_tokens=count, do_sample=False, eos_token_id=2
    )
    found: list[int] = out[0, len(prompt) :].tolist()
    return found


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_what_is_said_is_what_transformers_generates(family: str, text: Text) -> None:
    network, count = opened(family), 6
    prompts = [[1, 3 + index, 200 - 7 * index, *range(5, 5 + index)] for index in range(8)]
    true = [text.said([t for t in generated(network, prompt, count) if t != 2]).strip() for prompt in prompts]
    assert len(set(true)) > 2
    mixed = [true[0], "no", true[2], *true[:5]]
    for answers in (true, [f"{said}x" for said in true], mixed):
        expected = [answer == said for answer, said in zip(answers, true, strict=True)]
        assert says(network, read_prompts(network, prompts, CPU), answers, text, [], count) == expected


@torch.inference_mode()
def test_what_is_said_ends_at_a_stop(text: Text) -> None:
    network, prompt = opened("llama"), [1, 5, 9, 40]
    said = text.said(generated(network, prompt, 8))
    stop = said.strip()[3]
    before = said.lstrip()[: said.lstrip().index(stop)].strip()

    def decided(answer: str, marks: list[str]) -> bool:
        return says(network, read_prompts(network, [prompt], CPU), [answer], text, marks, 8)[0]

    assert decided(before, [stop])
    assert not decided(before, [])
    assert decided(said.strip(), [])
