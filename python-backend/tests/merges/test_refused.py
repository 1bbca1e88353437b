"""Configurations that are refused: the line, the key, and why."""

from __future__ import annotations

import pytest
from merges.models import catalog

from agent_forge.merges.conversion import read
from agent_forge.merges.document import MOST_BYTES
from agent_forge.merges.errors import ConfigurationRefused

LINEAR = "merge_method: linear\nmodels:\n- {model: a}\n- {model: b}\nparameters:\n  weight: 1\n"
TIES = "merge_method: ties\nbase_model: base\nmodels:\n- {model: a}\n- {model: b}\nparameters:\n  weight: 1\n"
SLICE = "merge_method: passthrough\nslices:\n- sources:\n  - model: a\n    layer_range: %s\n"

TABLE: dict[str, tuple[str, int, str, str]] = {
    "nothing": ("", 1, "", "nothing in it"),
    "no YAML": ("models: [a", 2, "", "no YAML"),
    "not a mapping": ("- a", 1, "", "mapping"),
    "a method that is not there": ("merge_method: magic\nmodels: [{model: a}]", 1, "merge_method", "'magic'.*linear"),
    "no method": ("\nmodels: [{model: a}]", 2, "", "`merge_method` is missing"),
    "models and slices": (LINEAR + "slices: []\n", 1, "", "exactly one of"),
    "modules": (LINEAR + "modules: {}\n", 7, "modules", "several modules"),
    "an unknown key": (LINEAR + "densty: 1\n", 7, "densty", "not supported here"),
    "twice": (LINEAR + "dtype: float32\ndtype: float16\n", 8, "dtype", "there twice"),
    "a residual weight": (
        SLICE % "[0, 1]" + "  residual_weight: 0.5\n",
        6,
        "slices.0.residual_weight",
        "residual stream",
    ),
    "a parameter of another method": (LINEAR + "  t: 0.5\n", 7, "parameters.t", "no parameter of linear.*weight"),
    "a shared parameter at a model": (
        TIES.replace("{model: a}", "{model: a, parameters: {lambda: 2}}"),
        4,
        "models.0.parameters.lambda",
        "of a model of ties",
    ),
    "an option that ours lack": (LINEAR + "  normalize: false\n", 7, "parameters.normalize", "true only: weights are"),
    "a sparsity that does nothing": (
        TIES.replace("ties", "task_arithmetic") + "  density: 0.5\n",
        8,
        "parameters.density",
        "takes 1 only",
    ),
    "rows by themselves": (
        "merge_method: nuslerp\nmodels: [{model: a}, {model: b}]\nparameters: {weight: 1, nuslerp_flatten: false}",
        3,
        "parameters.nuslerp_flatten",
        "true only",
    ),
    "about a base": (
        "merge_method: multislerp\nbase_model: base\nmodels: [{model: a}, {model: b}]\nparameters: {weight: 1}",
        2,
        "base_model",
        "not supported",
    ),
    "a scale beyond what is taken": (
        SLICE % "[0, 1]" + "    parameters: {scale: 5000}\n",
        6,
        "slices.0.sources.0.parameters.scale",
        "5000 is not within -1000 to 1000",
    ),
    "out of range": (TIES + "  density: 1.5\n", 8, "parameters.density", "1.5 is not within 0 to 1"),
    "not a number": (TIES + "  density: much\n", 8, "parameters.density", "'much' is no number"),
    "not finite": (TIES + "  density: .nan\n", 8, "parameters.density", "no finite number"),
    "not finite as text": (TIES + "  density: 1e999\n", 8, "parameters.density", "no finite number"),
    "an empty gradient": (TIES + "  density: []\n", 8, "parameters.density", "empty list"),
    "a choice without a value": (TIES + "  density: {filter: mlp}\n", 8, "parameters.density", "`value` is missing"),
    "a choice with more": (TIES + "  density: {value: 1, layer: 3}\n", 8, "parameters.density.layer", "not supported"),
    "no weight": (TIES.replace("  weight: 1", "  density: 1"), 4, "weight", "needs it of 'a'"),
    "no weight for some tensors": (
        TIES.replace("weight: 1", "weight: {filter: mlp, value: 1}"),
        4,
        "weight",
        "nothing sets it for `model.embed_tokens.weight`",
    ),
    "no base": (TIES.replace("base_model: base\n", ""), 1, "merge_method", "needs a `base_model`"),
    "too many": (
        "merge_method: slerp\nbase_model: a\nmodels:\n- {model: b}\n- {model: c}\nparameters: {t: 0.5}",
        4,
        "models",
        "takes 1 beside the base, there are 2",
    ),
    "a model twice": (LINEAR.replace("model: b", "model: a"), 4, "model", "merged with itself"),
    "an unknown model": (LINEAR.replace("model: b", "model: z"), 4, "model", "'z': there is no such model"),
    "an adapter": (LINEAR.replace("model: b", "model: b+lora"), 4, "models.1.model", "import the adapter"),
    "a model in no words": (LINEAR.replace("model: b", "model: [b]"), 4, "models.1.model", "must be text"),
    "two revisions": (LINEAR.replace("model: b", "model: b@c@d"), 4, "models.1.model", "is no model"),
    "another architecture": (
        LINEAR.replace("model: b", "model: {model: b, override_architecture: X}"),
        4,
        "models.1.model.override_architecture",
        "config.json",
    ),
    "other numbers of layers": (LINEAR.replace("model: b", "model: deep"), 4, "layer_range", "gives 8 layers, 'a' 4"),
    "layers beyond the last": (SLICE % "[2, 5]", 4, "layer_range", r"\[2, 5\]: 'a' has 4 layers"),
    "no layers": (SLICE % "[2, 2]", 5, "slices.0.sources.0.layer_range", "has no layers"),
    "half layers": (SLICE % "[0, 1.5]", 5, "slices.0.sources.0.layer_range", "whole numbers"),
    "no range": (SLICE.replace("    layer_range: %s\n", ""), 4, "slices.0.sources.0", "`layer_range` is missing"),
    "two models passed through": (
        "merge_method: passthrough\nmodels:\n- model: a\n- model: b\n",
        4,
        "sources",
        "one model a slice",
    ),
    "a type that is none": (LINEAR + "dtype: int8\n", 7, "dtype", "'int8' is not one of"),
    "a tokenizer without a base": (LINEAR + "tokenizer_source: base\n", 7, "tokenizer_source", "needs a `base_model`"),
    "a token from nowhere": (LINEAR + "tokenizer: {tokens: {x: {}}}\n", 7, "tokenizer.tokens.x", "`source` is missing"),
    "a row twice": (
        LINEAR + "tokenizer: {tokens: {x: {source: {kind: model_token, model: a, token: y, token_id: 1}}}}\n",
        7,
        "tokenizer.tokens.x.source",
        "exactly one",
    ),
    "a kind of row": (
        LINEAR + "tokenizer: {tokens: {x: {source: {kind: mean}}}}\n",
        7,
        "tokenizer.tokens.x.source.kind",
        "neither zero",
    ),
    "padding": (LINEAR + "tokenizer: {source: a, pad_to_multiple_of: 0}\n", 7, "tokenizer", "from 1 to"),
    "tokenizers twice": (LINEAR + "tokenizer_source: a\ntokenizer: {source: a}\n", 8, "tokenizer", "says it already"),
    "code": (LINEAR + "trust_remote_code: true\n", 7, "trust_remote_code", "nothing runs"),
    "two results": (LINEAR + "---\n" + LINEAR, 8, "", "only one document"),
    "a name twice": ("name: x\n" + LINEAR + "---\nname: x\n" + LINEAR, 9, "name", "earlier document"),
    "made of itself": ("name: a\n" + LINEAR, 4, "model", "made of itself"),
    "made for nothing": (LINEAR + "---\nname: x\n" + LINEAR, 8, "name", "no other document takes it"),
    "an anchor": ("models: &x [1]\nparameters: *x", 1, "", "anchors and aliases"),
    "a tag": ("models: !!python/object:os.system x", 1, "", "tag"),
    "a merge key": (LINEAR + "<<: {dtype: float32}\n", 7, "<<", "not supported"),
    "too deep": ("a: " + "[" * 20 + "]" * 20, 1, "", "levels deep"),
    "too long": ("#" * (MOST_BYTES + 1), 1, "", "bytes"),
    "a number among choices": (TIES + "  density: [{value: 1}, 2]\n", 8, "parameters.density.1", "mapping"),
    "half a character": ("name: '\ud800'", 1, "", "no YAML"),
    "a number of a million digits": ("merge_method: " + "9" * 9999, 1, "merge_method", "digits"),
}


@pytest.mark.parametrize("case", TABLE)
def test_refused(case: str) -> None:
    text, line, key, reason = TABLE[case]
    with pytest.raises(ConfigurationRefused, match=reason) as found:
        read(text, catalog)
    assert (found.value.line, found.value.key) == (line, key), str(found.value)


def test_a_bomb_of_aliases_is_refused_before_it_is_built() -> None:
    layers = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'x'}]" for i in range(30))
    with pytest.raises(ConfigurationRefused, match="line 1: anchors"):
        read(layers, catalog)
