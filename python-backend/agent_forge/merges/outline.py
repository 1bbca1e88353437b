"""Names, types and shapes of what a recipe makes, before anything is read. Free of torch.

`recipe.demand` says the same of tensors, with torch, when the work begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..contract.recipe import Leaf, MergeNode, Recipe
from ..evomerge.merge_methods import merge_method
from ..evomerge.recipe.tree import parts
from ..evomerge.stack import stack_of, stacked
from ..registry.header import TensorSpec
from .dtypes import combined_dtype
from .errors import RecipeRefused
from .export import blocks_of

FLOATS = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}
_NAMES = {name: short for short, name in FLOATS.items()}


@dataclass(frozen=True, slots=True)
class Traced:
    """A tensor of the result. name: in `model_id`, the first of the models that it is made from."""

    spec: TensorSpec
    model_id: str
    name: str


Outline = dict[str, Traced]


def outline(recipe: Recipe, specs: Callable[[Leaf], Mapping[str, TensorSpec]], path: str = "recipe") -> Outline:
    """path: of the recipe in the request. Raises `RecipeRefused`, and what `specs` raises."""
    if isinstance(recipe, Leaf):
        return {name: Traced(spec, recipe.model_id, name) for name, spec in specs(recipe).items()}
    _check_count(recipe, path)
    inputs = [outline(part, specs, f"{path}.inputs.{index}") for index, part in enumerate(recipe.inputs)]
    base = [outline(recipe.base, specs, f"{path}.base")] if recipe.base is not None else []
    everyone = [*inputs, *base]
    stacks = recipe.op == "frankenmerge"
    for index, model in enumerate(everyone):
        place = f"{path}.inputs.{index}" if index < len(inputs) else f"{path}.base"
        _check_types(model, place)
        if not stacks:
            _check_same(model, everyone[0], place)
    if stacks:
        return _stacked(recipe, inputs, path)
    unknown = sorted(recipe.by_tensor.keys() - inputs[0].keys() - {"*"})
    if unknown:
        raise RecipeRefused(f"{path}.by_tensor", f"names `{unknown[0]}`, which is no tensor of its inputs")
    return {
        name: Traced(TensorSpec(_dtype(recipe, name, everyone), one.spec.shape), one.model_id, one.name)
        for name, one in inputs[0].items()
    }


def read_bytes(recipe: Recipe, specs: Callable[[Leaf], Mapping[str, TensorSpec]]) -> int:
    """Of the leaves, each as often as it is taken."""
    if isinstance(recipe, Leaf):
        return sum(spec.bytes for spec in specs(recipe).values())
    return sum(read_bytes(part, specs) for part in parts(recipe))


def _dtype(merge: MergeNode, name: str, everyone: Sequence[Outline]) -> str:
    if merge.op == "cast":
        return _NAMES[merge.parameters["dtype"]]
    return _NAMES[combined_dtype(FLOATS[model[name].spec.dtype] for model in everyone)]


def _stacked(merge: MergeNode, inputs: Sequence[Outline], path: str) -> Outline:
    stacks = [stack_of(model) for model in inputs]
    sources = merge.parameters["layer_sources"]
    depth = len(stacks[0].layers)
    if sources and not merge.parameters["stack"] and len(sources) != depth:
        raise RecipeRefused(f"{path}.parameters.layer_sources", f"{len(sources)} given for {depth} layers")
    blocks = blocks_of(merge, depth)
    first, last = merge.parameters["embedding_source"], merge.parameters["output_source"]
    for source in [first, last, *(source for source, _ in blocks)]:
        if source >= len(inputs):
            raise RecipeRefused(f"{path}.parameters", f"source {source} is not one of the {len(inputs)} inputs")
    for source, layer in blocks:
        if layer >= len(stacks[source].layers):
            have = len(stacks[source].layers)
            raise RecipeRefused(f"{path}.parameters", f"there is no layer {layer}: input {source} has {have}")
    if not blocks:
        raise RecipeRefused(f"{path}.inputs.0", "has no numbered layers")
    result = stacked(stacks, blocks, first, last)
    found = {name: inputs[first][name] for name in result.before}
    for position, (source, layer) in enumerate(blocks):
        for rest in stacks[source].layers[layer]:
            found[result.layout.named(position, rest)] = inputs[source][stacks[source].layout.named(layer, rest)]
    return found | {name: inputs[last][name] for name in result.after}


def _check_count(merge: MergeNode, path: str) -> None:
    method = merge_method(merge.op)
    least, most, count = method.min_inputs, method.max_inputs, len(merge.inputs)
    if count < least or (most is not None and count > most):
        allowed = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
        raise RecipeRefused(f"{path}.inputs", f"{merge.op} takes {allowed}, there are {count}")


def _check_types(model: Outline, place: str) -> None:
    for name, one in model.items():
        if one.spec.dtype not in FLOATS:
            raise RecipeRefused(place, f"`{name}` is {one.spec.dtype}; mergeable types are {', '.join(FLOATS)}")


def _check_same(model: Outline, first: Outline, place: str) -> None:
    differing = model.keys() ^ first.keys()
    if differing:
        name = min(differing)
        has, lacks = (model, first) if name in model else (first, model)
        raise RecipeRefused(place, f"`{name}` is in {_whose(has)} and not in {_whose(lacks)}")
    for name, one in model.items():
        other = first[name]
        if one.spec.shape != other.spec.shape:
            raise RecipeRefused(
                place,
                f"`{name}` is {list(one.spec.shape)} in {one.model_id}, {list(other.spec.shape)} in {other.model_id}",
            )


def _whose(model: Outline) -> str:
    return next(iter(model.values())).model_id if model else "a model without tensors"
