"""Prediction and evaluation of models whatever their finite weights: an answer or a reason, never a NaN."""

from __future__ import annotations

import json
import math

import pytest
import torch
from cognate.tiny import TINY, predicted, weights
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from agent_forge.cognate.evaluation import Evaluator, ProblemSet
from agent_forge.contract.errors import NotMeasurable

MOST = torch.finfo(torch.float32).max
EXPONENTS = st.lists(st.floats(min_value=-38, max_value=38.47), min_size=7, max_size=7)
"""Of the scales of a model's tensors, in turn."""


def scaled(exponents: list[float]) -> dict[str, Tensor]:
    return {
        name: (tensor.double() * 10 ** exponents[index % len(exponents)]).clamp(-MOST, MOST).float()
        for index, (name, tensor) in enumerate(weights().items())
    }


@settings(max_examples=150, deadline=None)
@given(exponents=EXPONENTS, prompt=st.text(min_size=1, max_size=24))
def test_any_finite_model_answers(exponents: list[float], prompt: str) -> None:
    tokens, ended = predicted(scaled(exponents), prompt, 3)
    json.dumps([one.model_dump(mode="json") for one in (*tokens, ended)], allow_nan=False)
    assert all(0 <= token.probability <= 1 for token in tokens)
    assert (ended.reason == "fault") == (ended.fault is not None)
    if ended.fault is not None:
        assert f"After {len(tokens)} tokens" in ended.fault


@settings(max_examples=150, deadline=None)
@given(exponents=EXPONENTS)
def test_any_finite_model_is_measured_or_found_at_fault(exponents: list[float]) -> None:
    problems = ProblemSet(("parity",), 1, 8)
    try:
        [score] = Evaluator(TINY, problems, problems).evaluate(scaled(exponents), "selection").tasks
    except NotMeasurable as error:
        assert "parity" in error.fault.message  # noqa: PT017 - either is right
        return
    assert math.isfinite(score.loss)
    assert math.isfinite(score.perplexity)


def test_a_model_that_overflows_says_so() -> None:
    tokens, ended = predicted(scaled([38.0] * 7), "1+1=", 8)
    assert (ended.answer, tokens) == ("", [])
    assert ended.fault == "After 0 tokens the model's outputs are not finite: its weights overflow."


def test_a_gate_that_is_not_finite_is_none() -> None:
    """It is not read where nothing is older than the window, so the answer is sound."""
    tensors = weights()
    # of finite weights the order of a sum, which is the machine's, decides whether it is finite
    tensors["memory_gate.weight"] = torch.full_like(tensors["memory_gate.weight"], torch.inf)
    (_, sound), (tokens, ended) = predicted(weights(), "1+1=", 3), predicted(tensors, "1+1=", 3)
    assert ended.fault is None
    assert ended.answer == sound.answer
    assert None in {token.memory_gate for token in tokens}


@pytest.mark.parametrize(("value", "kind"), [(3e38, "output_not_finite"), (1e36, "loss_not_finite")])
def test_why_there_is_no_score(value: float, kind: str) -> None:
    tensors = weights()
    signs = torch.where(torch.arange(TINY.vocab_size) % 2 == 0, 1.0, -1.0)[:, None]
    tensors["output_layer.weight"] = signs * torch.full_like(tensors["output_layer.weight"], value)
    tensors["output_layer.bias"] = signs[:, 0] * (0.0 if kind == "output_not_finite" else 3e38)
    problems = ProblemSet(("parity",), 1, 8)
    with pytest.raises(NotMeasurable) as refused:
        Evaluator(TINY, problems, problems).evaluate(tensors, "selection")
    assert refused.value.fault.kind == kind
