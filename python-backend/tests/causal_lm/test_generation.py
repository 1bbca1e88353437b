"""What is said, token by token, against transformers' own generation."""

from __future__ import annotations

from pathlib import Path

import causal_lms
import pytest
import torch

from agent_forge.causal_lm.errors import NotRunnable
from agent_forge.causal_lm.generation import Speaker, generate, open_speaker
from agent_forge.causal_lm.text import Text
from agent_forge.cognate.errors import InvalidSetting
from agent_forge.contract.prediction import PredictedToken, PredictionBegun, PredictionEnded, PredictRequest

PROMPT = "two plus two is"


def speaker_of(family: str, folder: Path) -> Speaker:
    return open_speaker(causal_lms.architecture(family), causal_lms.tensors(causal_lms.network(family)), folder)


def said(speaker: Speaker, **request: object) -> tuple[PredictionBegun, list[PredictedToken], PredictionEnded]:
    begun, *tokens, ended = generate(speaker, PredictRequest.model_validate({"prompt": PROMPT, **request}))
    assert isinstance(begun, PredictionBegun)
    assert isinstance(ended, PredictionEnded)
    return begun, [token for token in tokens if isinstance(token, PredictedToken)], ended


@pytest.mark.parametrize("family", list(causal_lms.FAMILIES))
def test_it_says_what_transformers_generates(family: str, folder: Path, text: Text) -> None:
    begun, tokens, ended = said(speaker_of(family, folder), max_tokens=12)
    row = torch.tensor([text.prompt(PROMPT)])
    module = causal_lms.network(family)
    out = module.generate(row, attention_mask=torch.ones_like(row), max_new_tokens=12, do_sample=False, eos_token_id=2)
    expected = [token for token in out[0, row.shape[1] :].tolist() if token != 2]
    assert (begun.read, begun.prompt_tokens) == (PROMPT, row.shape[1])
    assert ended.answer == text.said(expected)
    assert len(tokens) == len(expected)
    assert ended.reason == ("max_tokens" if len(expected) == 12 else "end_token")
    assert ended.answer.startswith("".join(token.text for token in tokens))
    with torch.inference_mode():
        probabilities = module(input_ids=out).logits[0, row.shape[1] - 1 : -1].softmax(-1)
    for token, wanted, chosen in zip(tokens, probabilities, expected, strict=False):
        assert token.probability == pytest.approx(float(wanted[chosen]), abs=1e-4)
        five = sorted(wanted.tolist(), reverse=True)[:5]
        assert [one.probability for one in token.likeliest] == pytest.approx(five, abs=1e-4)
        assert token.likeliest[0].probability == token.probability
        assert token.depth is None


def test_it_reads_the_chat_template(folder: Path) -> None:
    begun, _, _ = said(speaker_of("llama", folder), chat=True, max_tokens=1)
    assert begun.read == f"<s>user: {PROMPT}</s><s>assistant:"


def test_draws_repeat_by_seed(folder: Path) -> None:
    speaker = speaker_of("llama", folder)

    def answer(seed: int) -> str:
        return said(speaker, temperature=1.5, seed=seed, max_tokens=8)[2].answer

    assert answer(1) == answer(1)
    assert len({answer(seed) for seed in range(4)}) > 1


def test_it_stops_where_the_model_reads_no_further(folder: Path) -> None:
    speaker = speaker_of("gpt2", folder)
    short = Speaker(speaker.network, folder, 12)
    begun, tokens, ended = said(short, max_tokens=64)
    assert (begun.prompt_tokens + len(tokens), ended.reason) == (12, "context_full")
    with pytest.raises(InvalidSetting, match="fewer than 12"):
        said(short, prompt="a question " * 12)


def test_without_its_documents_it_cannot_be_asked(tmp_path: Path, folder: Path) -> None:
    speaker = speaker_of("llama", causal_lms.tokenizer_folder(tmp_path, None))
    with pytest.raises(NotRunnable, match="no chat template"):
        said(speaker, chat=True)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(NotRunnable, match=r"tokenizer\.json"):
        said(speaker)
