"""Which configs are of models that compute alike."""

from __future__ import annotations

from typing import Any

import causal_lms
import pytest

from agent_forge.causal_lm.config import unlike
from agent_forge.causal_lm.errors import NotRunnable
from agent_forge.causal_lm.likeness import refuse_unlike
from agent_forge.contract.architecture import CausalLM


@pytest.mark.parametrize(
    ("one", "other", "keys"),
    [
        ({"hidden_size": 8}, {"hidden_size": 8}, []),
        ({"hidden_size": 8}, {"hidden_size": 9}, ["hidden_size"]),
        # a fine-tune says defaults that its base leaves out
        ({}, {"attention_bias": False, "mlp_bias": False}, []),
        ({"attention_bias": None}, {"attention_bias": False}, []),
        ({"use_cache": True, "transformers_version": "4.1"}, {"use_cache": False, "transformers_version": "5.2"}, []),
        ({"rope_theta": 1e5}, {"rope_parameters": {"rope_theta": 1e5, "rope_type": "default"}}, []),
        ({"rope_theta": 1e5, "rope_scaling": None}, {"rope_parameters": {"rope_theta": 1e4}}, ["rope_theta"]),
        (
            {"rope_theta": 1e5, "rope_scaling": {"type": "linear", "factor": 2.0}},
            {"rope_parameters": {"rope_theta": 1e5, "rope_type": "linear", "factor": 4.0}},
            ["factor"],
        ),
    ],
)
def test_only_what_both_state_and_what_counts_is_compared(
    one: dict[str, Any], other: dict[str, Any], keys: list[str]
) -> None:
    assert [key for key, *_ in unlike(one, other)] == keys
    assert [key for key, *_ in unlike(other, one)] == keys


def tiny(**changes: Any) -> CausalLM:
    config = causal_lms.config("llama") | changes
    return CausalLM(model_type="llama", config=config, layers=2, vocab_size=64, tied=False, dtype="F32")


def test_defaults_are_those_of_transformers() -> None:
    refuse_unlike([("base", tiny()), ("tuned", tiny(attention_bias=False, rope_scaling=None))])
    with pytest.raises(NotRunnable, match=r"tuned has config.attention_bias True, base has False"):
        refuse_unlike([("base", tiny()), ("tuned", tiny(attention_bias=True))])
