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
from ..registry.families.layout import layout_of
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
    inputs = [_merged(outline(part, specs, f"{path}.inputs.{index}")) for index, part in enumerate(recipe.inputs)]
    base = [_merged(outline(recipe.base, specs, f"{path}.base"))] if recipe.base is not None else []
    everyone = [*inputs, *base]
    stacks, adapts, aligns = (recipe.op == op for op in ("frankenmerge", "lora", "align_vocabulary"))
    for index, model in enumerate(everyone):
        place = f"{path}.inputs.{index}" if index < len(inputs) else f"{path}.base"
        _check_types(model, place)
        if aligns and recipe.parameters["of"]:
            _check_same(model, everyone[0], place, by_token=layout_of(model).by_token)
        elif not stacks and not (adapts and index == 1):
            _check_same(model, everyone[0], place)
    if stacks:
        return _stacked(recipe, inputs, path)
    unknown = sorted(recipe.by_tensor.keys() - inputs[0].keys() - {"*"})
    if unknown:
        raise RecipeRefused(f"{path}.by_tensor", f"names `{unknown[0]}`, which is no tensor of its inputs")
    if adapts:
        return inputs[0]
    if aligns:
        return _aligned(recipe, inputs, path)
    return {
        name: Traced(TensorSpec(_dtype(recipe, name, everyone), one.spec.shape), one.model_id, one.name)
        for name, one in inputs[0].items()
    }


def read_bytes(recipe: Recipe, specs: Callable[[Leaf], Mapping[str, TensorSpec]]) -> int:
    """Of the leaves, each as often as it is taken; without the rows of others that fill an aligned embedding."""
    if isinstance(recipe, Leaf):
        return sum(spec.bytes for spec in specs(recipe).values())
    if recipe.op == "align_vocabulary":
        return read_bytes(recipe.inputs[int(recipe.parameters["index"])], specs)
    return sum(read_bytes(part, specs) for part in parts(recipe))


def _dtype(merge: MergeNode, name: str, everyone: Sequence[Outline]) -> str:
    if merge.op == "cast":
        return _NAMES[merge.parameters["dtype"]]
    return _NAMES[combined_dtype(FLOATS[model[name].spec.dtype] for model in everyone)]


def _aligned(merge: MergeNode, inputs: Sequence[Outline], path: str) -> Outline:
    """With as many rows as there may be at most: how many tokens models share only their tokenizers tell."""
    of: list[str] = merge.parameters["of"]
    index, target = (int(merge.parameters[key]) for key in ("index", "target"))
    if max(index, target) >= len(inputs):
        raise RecipeRefused(f"{path}.parameters", f"{max(index, target)} is not one of the {len(inputs)} inputs")
    own = inputs[index]
    if not of:
        return own
    if len(of) != len(inputs):
        raise RecipeRefused(f"{path}.parameters.of", f"{len(of)} given for {len(inputs)} inputs")
    layout = layout_of(own)
    found: Outline = {}
    for name, one in own.items():
        if not layout.by_token(name, len(one.spec.shape)):
            found[name] = one
            continue
        # a vocabulary that several have counts once
        rows = {digest: model[name].spec.shape[0] for digest, model in zip(of, inputs, strict=True)}
        most = (rows[of[target]] if target >= 0 else sum(rows.values())) + len(merge.parameters["tokens"])
        multiple = merge.parameters["multiple_of"]
        shape = (-(-most // multiple) * multiple, *one.spec.shape[1:])
        found[name] = Traced(TensorSpec(one.spec.dtype, shape), one.model_id, one.name)
    return found


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


def _merged(model: Outline) -> Outline:
    """Without buffers, which merges leave out."""
    return {name: model[name] for name in layout_of(model).without_buffers(model)}


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


def _check_same(
    model: Outline, first: Outline, place: str, *, by_token: Callable[[str, int], bool] = lambda name, dimensions: False
) -> None:
    """by_token: tensors that may differ in their number of rows."""
    differing = model.keys() ^ first.keys()
    if differing:
        name = min(differing)
        has, lacks = (model, first) if name in model else (first, model)
        raise RecipeRefused(place, f"`{name}` is in {_whose(has)} and not in {_whose(lacks)}")
    for name, one in model.items():
        other = first[name]
        rows_alone = one.spec.shape[1:] == other.spec.shape[1:] and by_token(name, len(one.spec.shape))
        if one.spec.shape != other.spec.shape and not rows_alone:
            raise RecipeRefused(
                place,
                f"`{name}` is {list(one.spec.shape)} in {one.model_id}, {list(other.spec.shape)} in {other.model_id}",
            )


def _whose(model: Outline) -> str:
    return next(iter(model.values())).model_id if model else "a model without tensors"
