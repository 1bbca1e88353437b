"""What requests come to, and which are refused before anything is made."""

from __future__ import annotations

from typing import Any

import pytest
from merges.library import Library, llama, row, specs_of

from agent_forge.contract.architecture import ARCHITECTURES, Preset, TinyTitan, tensor_shapes
from agent_forge.contract.merge import MergeConfig, MergePlan
from agent_forge.evomerge.merge_methods import merge_methods
from agent_forge.merges.errors import RecipeRefused
from agent_forge.merges.plan import needed, planned
from agent_forge.registry.header import float32

NANO = ARCHITECTURES[Preset.nano]


@pytest.fixture(scope="module")
def library() -> Library:
    found = Library()
    kinds = ["sliding_attention", "full_attention", "full_attention", "full_attention"]
    found.add(row("base", llama(4)), specs_of(4))
    found.add(row("a", llama(4)), specs_of(4))
    found.add(row("single", llama(4)), specs_of(4, "F32"))
    found.add(row("typed", llama(4, layer_types=kinds)), specs_of(4))
    found.add(row("deep", llama(6)), specs_of(6))
    found.add(row("turning", llama(4, rope_theta=5.0)), specs_of(4))
    found.add(row("longer", llama(4)), specs_of(4, rows=9))
    found.add(row("turned", llama(4, rope_theta=6.0)), specs_of(4))
    found.add(row("counted", llama(4)), specs_of(4) | {"steps": specs_of(1, "I64")["model.embed_tokens.weight"]})
    found.add(row("titan", NANO, None), float32(tensor_shapes(NANO)))
    eyes = NANO.model_copy(update={"n_heads": 8})
    found.add(row("titan_of_more_heads", eyes, None), float32(tensor_shapes(eyes)))
    return found


def model(name: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "model", "model_id": f"mdl_{name}", **fields}


def merge(op: str, *names: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "merge", "op": op, "inputs": [model(name) for name in names], **fields}


def plan(library: Library, recipe: dict[str, Any], **fields: Any) -> MergePlan:
    return planned(MergeConfig.model_validate({"recipe": recipe, **fields}), library, "ours")[0]


@pytest.mark.parametrize("method", merge_methods(), ids=lambda method: method.name)
def test_every_op_has_its_defaults(library: Library, method: Any) -> None:
    names = ["a", "base"] if (method.max_inputs or 2) > 1 else ["a"]
    parameters = {"calibration": {"problems": 8}} if "calibration" in method.parameters["properties"] else {}
    base = {"base": model("base")} if method.uses_base else {}
    found = plan(library, merge(method.name, *names, **base, parameters=parameters)).recipe
    assert found.kind == "merge"
    assert found.parameters.keys() == method.parameters["properties"].keys()
    assert needed(plan(library, found.model_dump())) <= {"mdl_a", "mdl_base"}


def test_the_result_is_known_beforehand(library: Library) -> None:
    stack = merge("frankenmerge", "typed", "a", parameters={"stack": [[0, 0], [0, 1], [0, 0], [0, 3], [0, 2]]})
    config = plan(library, stack).architecture
    assert config is not None
    assert config.kind == "causal_lm"
    assert config.layers == config.config["num_hidden_layers"] == 5
    assert [kind.partition("_")[0] for kind in config.config["layer_types"]] == [
        "sliding", "full", "sliding", "full", "full",
    ]  # fmt: skip
    wide = plan(library, merge("linear", "single", "a"))
    assert wide.architecture is not None
    assert (wide.architecture.kind, wide.donor_id) == ("causal_lm", "mdl_single")
    assert wide.architecture.kind == "causal_lm"
    assert (wide.architecture.dtype, wide.architecture.config["dtype"]) == ("F32", "float32")


def test_titans_keep_their_kind_where_they_can_be_run(library: Library) -> None:
    both = merge("slerp", "titan", "titan")
    assert plan(library, both).architecture == NANO
    shorter = plan(library, merge("frankenmerge", "titan", parameters={"stack": [[0, 0], [0, 3]]})).architecture
    assert isinstance(shorter, TinyTitan)
    assert shorter.n_layers == 2
    rounded = {"kind": "merge", "op": "cast", "inputs": [both], "parameters": {"dtype": "bfloat16"}}
    assert plan(library, rounded).architecture is None


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no such model": (merge("linear", "nobody"), "recipe.inputs.0.model_id", "is not a registered model"),
    "another model of that id": (
        {"kind": "merge", "op": "linear", "inputs": [model("a", digest="0" * 64)]},
        "recipe.inputs.0.digest",
        "has the digest",
    ),
    "no such op": (merge("average", "a"), "recipe.op", "is not a merge method"),
    "no such parameter": (
        merge("slerp", "a", "base", parameters={"t": 1}),
        "recipe.parameters.t",
        "which takes weights",
    ),
    "a parameter out of range": (
        merge("ties", "a", base=merge("linear", "base", parameters={"weights": [5000]})),
        "recipe.base.parameters.weights",
        "less than or equal to 1000",
    ),
    "text as a number": (merge("ties", "a", parameters={"density": "1"}), "recipe.parameters.density", "number"),
    "one of a tensor that is not there": (
        merge("ties", "a", by_tensor={"x": {"density": 0.5}}),
        "recipe.by_tensor",
        "names `x`",
    ),
    "too few for each input": (
        merge("ties", "a", "single", by_tensor={"*": {"density": [0.5]}}),
        "recipe.by_tensor.*.density",
        "1 given for 2 inputs",
    ),
    "a base without use": (merge("linear", "a", base=model("base")), "recipe.base", "takes no base"),
    "too many": (merge("nuslerp", "a", "base", "single"), "recipe.inputs", "takes 2, there are 3"),
    "nothing to measure by": (merge("fisher", "a", "base"), "recipe.parameters.calibration", "measures its inputs"),
    "fewer layers": (merge("linear", "deep", "a"), "recipe.inputs.1", "`model.layers.4.mlp.down_proj.weight` is in"),
    "more rows": (merge("linear", "a", "longer"), "recipe.inputs.1", "is [9, 4] in mdl_longer, [8, 4] in mdl_a"),
    "whole numbers": (merge("linear", "counted"), "recipe.inputs.0", "`steps` is I64"),
    "a layer that is not there": (
        merge("frankenmerge", "a", parameters={"stack": [[0, 4]]}),
        "recipe.parameters",
        "no layer 4",
    ),
    "another rotation": (merge("linear", "turning", "turned"), "recipe.inputs.1", "has config.rope_theta 6.0, turning"),
    "a titan among others": (merge("linear", "a", "titan"), "recipe.inputs.1", "is a TinyTitan, a is a causal"),
    "a titan with other heads": (
        merge("linear", "titan", "titan_of_more_heads"),
        "recipe.inputs.1",
        "has n_heads 8, titan has 4",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_named(library: Library, what: str) -> None:
    recipe, field, message = REFUSED[what]
    with pytest.raises(RecipeRefused) as refused:
        plan(library, recipe)
    assert refused.value.field == field
    assert message in refused.value.message
