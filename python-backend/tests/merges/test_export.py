"""Recipes as configurations, and back."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from merges.models import RESTS, catalog, directory, leaf
from merges.test_accepted import TABLE

from agent_forge.contract.recipe import Recipe
from agent_forge.evomerge.recipe.tree import node
from agent_forge.merges.conversion import read
from agent_forge.merges.errors import NotExpressible
from agent_forge.merges.export import exported


def again(recipe: Recipe) -> Recipe:
    return read(exported(recipe, directory), catalog).recipe


@pytest.mark.parametrize("case", TABLE)
def test_what_was_read_is_said_again(case: str) -> None:
    recipe = read(TABLE[case][0], catalog).recipe
    assert again(recipe) == recipe, exported(recipe, directory)


numbers = st.integers(0, 100).map(lambda number: number / 100)
filters = st.sampled_from(["mlp", "layers.1", "q_proj", "norm", "lm_head", "layers.2.mlp", "no such"])


def setting(values: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    plain = values | st.lists(values, min_size=1, max_size=4)
    choices = st.lists(st.builds(lambda f, v: {"filter": f, "value": v}, filters, plain), min_size=1, max_size=3)
    return plain | st.builds(lambda some, last: [*some, {"value": last}], choices, plain)


def parameters(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


weights = setting(st.integers(-20, 30).map(lambda number: number / 10))
TASK_VECTORS = {
    "task_arithmetic": {},
    "ties": {"density": setting(numbers)},
    "dare_linear": {"density": setting(numbers)},
    "dare_ties": {"density": setting(numbers)},
    "breadcrumbs": {"density": setting(numbers), "gamma": setting(numbers)},
    "breadcrumbs_ties": {"density": setting(numbers), "gamma": setting(numbers)},
    "della": {"density": setting(numbers), "epsilon": setting(numbers.map(lambda one: one / 2))},
    "della_linear": {"density": setting(numbers), "epsilon": setting(numbers.map(lambda one: one / 2))},
}


@st.composite
def about_a_base(draw: st.DrawFn) -> dict[str, Any]:
    method = draw(st.sampled_from(sorted(TASK_VECTORS)))
    own = parameters({"weight": weights}, TASK_VECTORS[method])
    models = [{"model": name, "parameters": draw(own)} for name in draw(st.sampled_from(["a", "ab", "abc"]))]
    shared = {"lambda": setting(numbers), "normalize": st.booleans(), "int8_mask": st.booleans()}
    found = {"merge_method": method, "base_model": "base", "models": models}
    return found | {"parameters": draw(parameters({}, shared | TASK_VECTORS[method]))}


@st.composite
def without_a_base(draw: st.DrawFn) -> dict[str, Any]:
    method = draw(st.sampled_from(["linear", "multislerp", "nuslerp", "slerp"]))
    if method == "slerp":
        return {
            "merge_method": method,
            "base_model": "a",
            "models": [{"model": "a"}, {"model": "b"}],
            "parameters": {"t": draw(setting(numbers))},
        }
    models = [{"model": name, "parameters": {"weight": draw(weights)}} for name in "ab"]
    return {"merge_method": method, "models": models}


dtypes = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("dtype", "out_dtype"), st.sampled_from(["bfloat16", "float16", "float32", "float64"]))
)
cut = st.lists(
    st.tuples(st.sampled_from(["a", "b", "deep"]), st.integers(0, 3), st.integers(1, 2)), min_size=1, max_size=4
)


@st.composite
def stacks(draw: st.DrawFn) -> dict[str, Any]:
    scaled = st.just({}) | st.builds(lambda scale: {"parameters": {"scale": scale}}, setting(numbers))
    slices = [
        {"sources": [{"model": name, "layer_range": [start, min(start + count, 4)]} | draw(scaled)]}
        for name, start, count in draw(cut)
    ]
    return {"merge_method": "passthrough", "slices": slices}


@st.composite
def pipelines(draw: st.DrawFn) -> list[dict[str, Any]]:
    merges = about_a_base() | without_a_base()
    last = draw(about_a_base())
    last["base_model"] = "first"
    return [{"name": "first"} | draw(merges) | draw(dtypes), last | draw(dtypes)]


@settings(max_examples=300, deadline=None)
@given(
    st.builds(lambda one, types: [one | types], about_a_base() | without_a_base() | stacks(), dtypes) | pipelines(),
    st.integers(0, 3),
)
def test_configuration_to_recipe_to_configuration_to_recipe(documents: list[dict[str, Any]], seed: int) -> None:
    recipe = read(yaml.safe_dump_all(documents), catalog, seed=seed).recipe
    text = exported(recipe, directory)
    assert read(text, catalog, seed=seed).recipe == recipe, text


def test_reads_well() -> None:
    recipe = read(TABLE["densities of their own"][0], catalog).recipe
    assert exported(recipe, directory) == (
        "merge_method: ties\nbase_model: base\nmodels:\n"
        "- model: a\n  parameters:\n    weight: 0.5\n    density: 0.3\n"
        "- model: b\n  parameters:\n    weight: 0.7\n    density: 0.6\n"
        "parameters:\n  lambda: 1.5\n  normalize: true\n"
    )


A, B = leaf("a"), leaf("b")
NOT: dict[str, tuple[Recipe, str]] = {
    "an op of ours": (node("mutate", [A]), "`mutate`"),
    "below another": (node("linear", [A, node("align", [B, A])]), "`align`"),
    "slerp of three": (node("slerp", [A, B, leaf("c")]), "takes two"),
    "weights of karcher": (node("karcher", [A, B], weights=[1, 2]), "has none"),
    "a λ that mergekit has not": (node("sce", [A, B], leaf("base"), scale=0.5), "λ 0.5"),
    "a model twice": (node("linear", [A, A]), "taken twice"),
    "an embedding from elsewhere": (
        node("frankenmerge", [A, B], layer_sources=[0] * 4, embedding_source=1),
        "outermost",
    ),
}


@pytest.mark.parametrize("case", NOT)
def test_what_mergekit_cannot_say(case: str) -> None:
    recipe, reason = NOT[case]
    with pytest.raises(NotExpressible, match=reason):
        exported(recipe, directory)


def test_weights_of_layer_groups_and_a_base_that_is_the_mean() -> None:
    """As evolution has them."""
    recipe = node("ties", [A, B], weights={"late": [0.25, 2.0]})
    found = again(recipe)
    assert found.base == node("linear", [A, B], weights=[1.0, 1.0])  # type: ignore[union-attr]
    assert found.by_tensor == {  # type: ignore[union-attr]
        f"model.layers.3.{rest}": {"weights": [0.25, 2.0]} for rest in RESTS
    }
