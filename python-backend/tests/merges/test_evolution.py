from __future__ import annotations

from typing import Any

import pytest

from agent_forge.contract.architecture import CausalLM
from agent_forge.contract.model import Model
from agent_forge.merges.configuration import ModelReference
from agent_forge.merges.errors import ConfigurationRefused
from agent_forge.merges.evolution import evolution

WHOLE = """
genome:
  models: [a, b]
  merge_method: dare_ties
  base_model: base
  tokenizer_source: null
  layer_granularity: 4
  normalize: true
  allow_negative_weights: false
  smooth: false
tasks:
  - name: sums
    weight: 0.5
    metric: "acc_norm,none"
  - name: file:sums.jsonl
    weight: 0.5
"""


def named(reference: ModelReference) -> Model:
    if reference.path not in ("a", "b", "base"):
        raise LookupError("there is no registered model of this id or name")
    shape = CausalLM(model_type="llama", config={}, layers=12, vocab_size=320, tied=False, dtype="BF16")
    return Model.model_construct(id=f"mdl_{reference.path}", architecture=shape)


def metric(dataset: str) -> str:
    if dataset == "lm-eval:none":
        raise LookupError("lm-eval:none is not a task of this machine")
    return "acc_norm" if dataset.startswith("lm-eval:") else "acc"


def test_what_it_says_is_what_is_searched() -> None:
    found = evolution(WHOLE, named, metric)
    assert (found.parents, found.base, found.ops) == (["mdl_a", "mdl_b"], "mdl_base", ["dare_ties"])
    assert (found.strategy, found.basis, found.polish_steps) == ("cma_es", "raw", 0)
    assert [one.name for one in found.datasets or []] == ["lm-eval:sums", "file:sums.jsonl"]
    assert (found.fitness.accuracy, found.fitness.likelihood, found.fitness.compute) == (1, 0, 0)


def test_little_is_needed() -> None:
    text = "genome: {models: [a, b], merge_method: linear}\ntasks: [{name: 'gym:bf'}]"
    found = evolution(text, named, metric)
    assert (found.base, found.ops) == (None, ["linear"])


REFUSED: list[tuple[str, str, int, str, str]] = [
    ("models: [a, b]", "models: [a, c]", 3, "genome.models.1", "no registered model"),
    ("models: [a, b]", "models: [a, a]", 3, "genome.models", "each once"),
    ("dare_ties", "passthrough", 4, "genome.merge_method", "takes no weight"),
    ("base_model: base", "base_model: x/y", 5, "genome.base_model", "no registered model"),
    ("tokenizer_source: null", "tokenizer_source: union", 6, "genome.tokenizer_source", "one vocabulary"),
    ("layer_granularity: 4", "layer_granularity: 2", 7, "genome.layer_granularity", "4 says the same"),
    ("normalize: true", "normalize: false", 8, "genome.normalize", "divides by the weights' sum"),
    ("weights: false", "weights: true", 9, "genome.allow_negative_weights", "from 0 to 2"),
    ("smooth: false", "smooth: true", 10, "genome.smooth", "within each third"),
    ("smooth: false", "filters: [mlp]", 10, "genome.filters", "by layer group"),
    ("smooth: false", "layers: 3", 10, "genome.layers", "not supported"),
    ("name: sums", "name: none", 12, "tasks.0.name", "not a task"),
    ("acc_norm,none", "bleu,none", 14, "tasks.0.metric", "measured by here: metric: acc_norm"),
    ("weight: 0.5\n    metric", "weight: -1\n    metric", 12, "tasks.0", "count the same"),
    ("tasks:", "task:", 11, "task", "not supported"),
]


@pytest.mark.parametrize(("part", "other", "line", "key", "said"), REFUSED, ids=[one[3] for one in REFUSED])
def test_what_has_no_counterpart_is_refused_with_its_line(
    part: str, other: str, line: int, key: str, said: str
) -> None:
    assert part in WHOLE
    with pytest.raises(ConfigurationRefused) as refused:
        evolution(WHOLE.replace(part, other, 1), named, metric)
    error: Any = refused.value
    assert (error.line, error.key) == (line, key)
    assert said in str(error)
