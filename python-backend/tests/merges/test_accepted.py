"""Configurations that are accepted, and the recipes that they mean."""

from __future__ import annotations

from typing import Any

import pytest
from merges.models import catalog, leaf

from agent_forge.contract.recipe import MergeNode, Recipe
from agent_forge.evomerge.recipe.tree import node
from agent_forge.merges.conversion import read

TIES = """
merge_method: ties
base_model: base
models:
  - model: base
  - {model: a, parameters: {weight: 0.5, density: 0.3}}
  - {model: b, parameters: {weight: 0.7}}
parameters: {density: 0.6, lambda: 1.5, int8_mask: true}
"""


def tree(recipe: Recipe) -> Any:
    """As short as can be: names, and of nodes what is not a default."""
    if not isinstance(recipe, MergeNode):
        return recipe.model_id
    usual = node(recipe.op, recipe.inputs).parameters
    settings = {key: value for key, value in recipe.parameters.items() if value != usual[key]}
    return (
        recipe.op,
        [tree(part) for part in recipe.inputs],
        *([tree(recipe.base)] if recipe.base is not None else []),
        *([settings] if settings else []),
        *([recipe.by_tensor] if recipe.by_tensor else []),
    )


TABLE: dict[str, tuple[str, Any]] = {
    "weights": (
        "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}, {model: b, parameters: {weight: 0.5}}]",
        ("linear", ["a", "b"], {"weights": [1.0, 0.5]}),
    ),
    "one weight for all, and text that is a number": (
        "merge_method: linear\nmodels: [{model: a}, {model: b}]\nparameters: {weight: 1e-1, normalize: true}",
        ("linear", ["a", "b"], {"weights": [0.1, 0.1]}),
    ),
    "a base that stands in no list is an input of methods without one": (
        "merge_method: karcher\nbase_model: base\nmodels: [{model: a}, {model: b}]\nparameters: {max_iter: 7}",
        ("karcher", ["a", "b", "base"], {"weights": [1.0, 1.0, 1.0], "iterations": 7}),
    ),
    "slerp goes from the base to the other": (
        "merge_method: slerp\nbase_model: b\nmodels: [{model: a}, {model: b}]\nparameters: {t: 0.25}",
        ("slerp", ["b", "a"], {"weights": [0.75, 0.25]}),
    ),
    "densities of their own": (
        TIES,
        ("ties", ["a", "b"], "base", {"weights": [0.5, 0.7], "scale": 1.5}, {"*": {"density": [0.3, 0.6]}}),
    ),
    "a method that takes the sum unless told otherwise": (
        "merge_method: dare_ties\nbase_model: base\nmodels: [{model: a}, {model: b}]\n"
        "parameters: {weight: 1.0, density: 0.9}",
        ("dare_ties", ["a", "b"], "base", {"weights": [1.0, 1.0], "drop_rate": 0.1, "normalize": False}),
    ),
    "normalised weights of a sum": (
        "merge_method: task_arithmetic\nbase_model: base\nmodels: [{model: a}, {model: b}]\n"
        "parameters: {weight: 2, normalize: true}",
        ("task_arithmetic", ["a", "b"], "base", {"weights": [0.5, 0.5]}),
    ),
    "names of mergekit's that are ours": (
        "merge_method: ramplus_tl\nbase_model: base\nmodels: [{model: a}, {model: b}]\nparameters: {r: 0.3}",
        ("ram_plus", ["a", "b"], "base", {"r": 0.3}),
    ),
    "gradients over the layers; the first value before and after them": (
        "merge_method: slerp\nbase_model: a\nmodels: [{model: a}, {model: b}]\nparameters: {t: [0, 0.75]}",
        (
            "slerp",
            ["a", "b"],
            {"weights": [1.0, 0.0]},
            {
                f"model.layers.{layer}.{rest}": {"weights": weights}
                for layer, weights in ((1, [0.75, 0.25]), (2, [0.5, 0.5]), (3, [0.25, 0.75]))
                for rest in ("input_layernorm.weight", "self_attn.q_proj.weight", "mlp.down_proj.weight")
            },
        ),
    ),
    "the first filter that fits; then the value without one": (
        "merge_method: linear\nmodels:\n- model: a\n  parameters:\n    weight:\n"
        "      - {filter: layers.2, value: 3}\n      - {filter: mlp, value: [1, 4]}\n      - {value: 2}\n"
        "- {model: b, parameters: {weight: 1}}",
        None,
    ),
    "a scope without a value for a tensor leaves it to the next": (
        "merge_method: linear\nmodels:\n- {model: a, parameters: {weight: {filter: mlp, value: 3}}}\n- model: b\n"
        "parameters: {weight: 1}",
        (
            "linear",
            ["a", "b"],
            {"weights": [1.0, 1.0]},
            {f"model.layers.{layer}.mlp.down_proj.weight": {"weights": [3.0, 1.0]} for layer in range(4)},
        ),
    ),
    "one model": ("merge_method: passthrough\nmodels: [{model: a}]", "a"),
    "one model, scaled": (
        "merge_method: passthrough\nmodels: [{model: a, parameters: {scale: 0.5}}]",
        ("scale", ["a"], {"factor": 0.5}),
    ),
    "layers, of which one is scaled where it writes to the residual stream": (
        "merge_method: passthrough\nslices:\n- sources: [{model: a, layer_range: [0, 2]}]\n"
        "- sources:\n  - model: b\n    layer_range: [1, 2]\n"
        "    parameters: {scale: [{filter: down_proj, value: 0}, {value: 1}]}\n",
        (
            "scale",
            [("frankenmerge", ["a", "b"], {"output_source": 1, "stack": [[0, 0], [0, 1], [1, 1]]})],
            {"model.layers.2.mlp.down_proj.weight": {"factor": 0.0}},
        ),
    ),
    "a stack": (
        "merge_method: passthrough\nslices:\n- sources: [{model: a, layer_range: [0, 3]}]\n"
        "- sources: [{model: deep, layer_range: [6, 8]}]",
        (
            "frankenmerge",
            ["a", "deep"],
            {"stack": [[0, 0], [0, 1], [0, 2], [1, 6], [1, 7]], "output_source": 1},
        ),
    ),
    "layers of different depth, merged": (
        "merge_method: slerp\nbase_model: a\nslices:\n- sources:\n  - {model: a, layer_range: [0, 2]}\n"
        "  - {model: deep, layer_range: [3, 5]}\nparameters: {t: 0.5}",
        (
            "slerp",
            [
                ("frankenmerge", ["a"], {"stack": [[0, 0], [0, 1]]}),
                ("frankenmerge", ["deep"], {"stack": [[0, 3], [0, 4]]}),
            ],
            {"weights": [0.5, 0.5]},
        ),
    ),
    "what is wider than dtype is rounded": (
        "merge_method: linear\ndtype: bfloat16\nmodels: [{model: a}, {model: single}]\nparameters: {weight: 1}",
        ("linear", ["a", ("cast", ["single"], {"dtype": "bfloat16"})], {"weights": [1.0, 1.0]}),
    ),
    "a wide dtype costs nothing where the result is narrow": (
        "merge_method: linear\ndtype: float32\nout_dtype: bfloat16\nmodels: [{model: a}, {model: b}]\n"
        "parameters: {weight: 1}",
        ("linear", ["a", "b"], {"weights": [1.0, 1.0]}),
    ),
    "a wide result": (
        "merge_method: linear\ndtype: float32\nmodels: [{model: a}, {model: b}]\nparameters: {weight: 1}",
        ("linear", [("cast", ["a"]), ("cast", ["b"])], {"weights": [1.0, 1.0]}),
    ),
    "a narrow result": (
        "merge_method: linear\nout_dtype: bfloat16\nmodels: [{model: a}, {model: half}]\nparameters: {weight: 1}",
        ("cast", [("linear", ["a", "half"], {"weights": [1.0, 1.0]})], {"dtype": "bfloat16"}),
    ),
    "a pipeline, in any order": (
        "merge_method: slerp\nbase_model: first\nmodels: [{model: c}]\nparameters: {t: 0.5}\n---\n"
        "name: first\nmerge_method: linear\nmodels: [{model: a}, {model: b}]\nparameters: {weight: 1}",
        ("slerp", [("linear", ["a", "b"], {"weights": [1.0, 1.0]}), "c"], {"weights": [0.5, 0.5]}),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_recipe(case: str) -> None:
    text, expected = TABLE[case]
    found = read(text, catalog).recipe
    if expected is not None:
        assert tree(found) == expected


def test_filters_count_in_their_order() -> None:
    found = read(TABLE["the first filter that fits; then the value without one"][0], catalog).recipe
    assert isinstance(found, MergeNode)

    def weight(name: str) -> float:
        return float(found.by_tensor.get(name, {}).get("weights", found.parameters["weights"])[0])

    assert weight("model.layers.2.mlp.down_proj.weight") == 3
    assert [weight(f"model.layers.{layer}.mlp.down_proj.weight") for layer in (0, 1, 3)] == [1, 2, 4]
    assert weight("model.layers.1.self_attn.q_proj.weight") == weight("lm_head.weight") == 2


def test_slices_have_gradients_of_their_own_and_filters_see_each_models_layers() -> None:
    text = """
merge_method: linear
slices:
- sources: [{model: a, layer_range: [0, 2]}, {model: b, layer_range: [2, 4]}]
  parameters: {weight: [1, 2]}
- sources: [{model: a, layer_range: [2, 4]}, {model: b, layer_range: [0, 2]}]
  parameters: {weight: [{filter: layers.0., value: 5}, {value: 7}]}
"""
    merge = read(text, catalog)
    found = merge.recipe
    assert isinstance(found, MergeNode)
    assert found.op == "frankenmerge"
    first, second = found.inputs
    assert isinstance(first, MergeNode)
    assert isinstance(second, MergeNode)
    assert first.parameters["weights"] == [1.0, 1.0], "also of what stands before the layers"
    assert first.by_tensor["model.layers.1.mlp.down_proj.weight"] == {"weights": [2.0, 2.0]}
    assert second.parameters["weights"] == [7.0, 7.0], "also of what stands after them"
    assert second.by_tensor["model.layers.0.mlp.down_proj.weight"] == {"weights": [7.0, 5.0]}
    assert not {name for name in second.by_tensor if "layers.0." not in name}
    assert len(merge.stack.layers) == 4


def test_what_else_it_says() -> None:
    text = TIES + "tokenizer_source: union\nchat_template: auto\n"
    found = read(text, catalog, seed=3)
    assert (str(found.tokenizer_source), found.chat_template, str(found.donor)) == ("union", "auto", "base")
    assert found.dtype == "bfloat16"
    nested = text.replace("tokenizer_source: union", "tokenizer: {source: a}")
    assert str(read(nested, catalog).tokenizer_source) == "a"
    random = TIES.replace("ties", "dare_ties")
    recipe = read(random, catalog, seed=3).recipe
    assert isinstance(recipe, MergeNode)
    assert recipe.seed == 3


def test_a_model_in_words_of_its_own() -> None:
    text = "merge_method: passthrough\nmodels: [{model: {model: {path: a, revision: main}}}]"
    with pytest.raises(ValueError, match=r"line 2: `model`: 'a@main': there is no such model"):
        read(text, catalog)
    assert read(text.replace(", revision: main", ""), catalog).recipe == leaf("a")
