"""From merge configurations to recipes.

Settings are worked out for each tensor and written into the recipe by name: a recipe's bytes depend on no definition of
layers that may change. Free of torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..contract.recipe import MergeNode, Recipe
from ..evomerge.merge_methods import merge_method
from ..evomerge.recipe.tree import node
from ..evomerge.stack import Stack, stacked
from .configuration import Configuration, ModelReference, Settings, Slice, Source, TokenSource, configuration
from .document import documents
from .dtypes import combined_dtype, input_casts
from .errors import ConfigurationRefused
from .methods import METHODS, MOST_SCALE, PASSTHROUGH, SCALE, Method, Parameter
from .settings import Place, layer_place, resolve

MOST_DOCUMENTS = 64


@dataclass(frozen=True)
class Model:
    """What a reference stands for. dtype: the widest of its tensors that are floats."""

    recipe: Recipe
    stack: Stack
    dtype: str


@dataclass(frozen=True)
class Merge:
    """What a configuration asks for."""

    recipe: Recipe
    stack: Stack
    dtype: str
    tokenizer_source: ModelReference | None
    chat_template: str | None
    donor: ModelReference
    """The model whose config.json and, unless told otherwise, tokenizer the result has."""
    based: bool = False
    """Whether that is a base."""
    tokens: Mapping[str, TokenSource] = field(default_factory=dict)
    pad_to_multiple_of: int = 1


Catalog = Callable[[ModelReference], Model]
"""Raises `LookupError`, whose text says what was looked for."""


def read(text: str, catalog: Catalog, *, seed: int = 0) -> Merge:
    """The merge that a configuration asks for; of several documents the one without a name, else the last.

    seed: of random merges. Raises `ConfigurationRefused`.
    """
    found = [configuration(document) for document in documents(text)]
    if not found:
        raise ConfigurationRefused(1, "", "there is nothing in it")
    if len(found) > MOST_DOCUMENTS:
        raise ConfigurationRefused(found[MOST_DOCUMENTS].line, "", f"more than {MOST_DOCUMENTS} documents")
    named: dict[str, Configuration] = {}
    for one in found:
        if one.name is not None and one.name in named:
            raise ConfigurationRefused(one.line, "name", f"{one.name!r} is the name of an earlier document")
        if one.name is not None:
            named[one.name] = one
    unnamed = [one for one in found if one.name is None]
    if len(unnamed) > 1:
        raise ConfigurationRefused(unnamed[1].line, "", "only one document may be without a `name`: the result")
    pipeline = _Pipeline(named, catalog, seed)
    merge = pipeline.merge(unnamed[0] if unnamed else found[-1])
    for name, one in named.items():
        if name not in pipeline.used and one is not (unnamed or found)[-1]:
            raise ConfigurationRefused(one.line, "name", f"{name!r} is merged, and no other document takes it")
    return merge


class _Pipeline:
    def __init__(self, named: Mapping[str, Configuration], catalog: Catalog, seed: int) -> None:
        self._named, self._catalog, self._seed = named, catalog, seed
        self._made: dict[str, Merge] = {}
        self._open: list[str] = []
        self.used: set[str] = set()

    def merge(self, asked: Configuration) -> Merge:
        """Where the donor is what another document makes, it is that document's, and so is its tokenizer."""
        made = _Conversion(asked, self._model, self._seed).merge()
        inner = self._made.get(str(made.donor))
        if inner is not None:
            made = replace(
                made,
                donor=inner.donor,
                tokenizer_source=made.tokenizer_source or inner.tokenizer_source,
                chat_template=made.chat_template or inner.chat_template,
            )
        source = self._made.get(str(made.tokenizer_source))
        return replace(made, tokenizer_source=source.tokenizer_source or source.donor) if source is not None else made

    def _model(self, reference: ModelReference) -> Model:
        name = str(reference)
        if name not in self._named:
            try:
                return self._catalog(reference)
            except LookupError as error:
                reason = error.args[0] if error.args else "there is no such model"
                raise ConfigurationRefused(reference.line, "model", f"{name!r}: {reason}") from error
        self.used.add(name)
        if name in self._open:
            raise ConfigurationRefused(reference.line, "model", f"{name!r} would be made of itself")
        if name not in self._made:
            inner = self._named[name]
            if inner.tokens or inner.pad_to_multiple_of > 1:
                raise ConfigurationRefused(inner.line, "tokenizer", "only the last document may say this of tokens")
            self._open.append(name)
            self._made[name] = self.merge(self._named[name])
            self._open.pop()
        made = self._made[name]
        return Model(made.recipe, made.stack, made.dtype)


@dataclass(frozen=True)
class _Input:
    """A source of a slice. layers: [from, to)."""

    source: Source
    model: Model
    layers: tuple[int, int]


@dataclass(frozen=True)
class _Part:
    """An output slice, resolved."""

    inputs: list[_Input]
    base: int | None
    """Which of them."""
    parameters: Settings
    line: int
    offset: int
    """Layers of the slices below."""

    @property
    def depth(self) -> int:
        start, stop = self.inputs[0].layers
        return stop - start


class _Conversion:
    """One document."""

    def __init__(self, asked: Configuration, model: Callable[[ModelReference], Model], seed: int) -> None:
        self._asked, self._model, self._seed = asked, model, seed
        self._method = METHODS.get(asked.method)
        if self._method is None and asked.method != PASSTHROUGH:
            known = ", ".join(sorted([*METHODS, PASSTHROUGH]))
            raise ConfigurationRefused(
                asked.method_line, "merge_method", f"{asked.method!r} is not supported here; there are {known}"
            )

    def merge(self) -> Merge:
        asked = self._asked
        parts = self._parts()
        if self._method is None:
            recipe, stack = self._passed(parts)
        else:
            merged = [self._merged(self._method, part, index, len(parts)) for index, part in enumerate(parts)]
            recipe, stack = merged[0]
            if len(parts) > 1:
                blocks = [(index, layer) for index, part in enumerate(parts) for layer in range(part.depth)]
                recipe = _stack_node([one for one, _ in merged], blocks, len(parts) - 1)
                stack = stacked([one for _, one in merged], blocks, 0, len(parts) - 1)
        dtype = combined_dtype(self._dtype_of(one.model) for part in parts for one in part.inputs)
        wanted = asked.out_dtype or asked.dtype or dtype
        if dtype != wanted:
            recipe = node("cast", [recipe], dtype=wanted)
        return Merge(
            recipe,
            stack,
            wanted,
            self._tokenizer_source(),
            asked.chat_template,
            self._donor(parts),
            asked.base_model is not None,
            asked.tokens,
            asked.pad_to_multiple_of,
        )

    def _donor(self, parts: Sequence[_Part]) -> ModelReference:
        return self._asked.base_model or parts[0].inputs[0].source.model

    def _tokenizer_source(self) -> ModelReference | None:
        source = self._asked.tokenizer_source
        if source is not None and source.path == "base" and self._asked.base_model is None:
            raise ConfigurationRefused(source.line, "tokenizer_source", "'base' needs a `base_model`")
        return source

    # -- inputs

    def _parts(self) -> list[_Part]:
        asked = self._asked
        if asked.models:
            sources = list(asked.models)
            base = asked.base_model
            if base is not None and all(source.model != base for source in sources) and self._method is not None:
                # a base that stands in no list is an input without parameters of its own
                sources.append(Source(base, None, {}, base.line))
            slices: Sequence[Slice] = [Slice(tuple(sources), None, {}, sources[0].line)]
        else:
            slices = asked.slices
        parts: list[_Part] = []
        for one in slices:
            offset = sum(part.depth for part in parts)
            parts.append(self._part(one, offset))
        return parts

    def _part(self, one: Slice, offset: int) -> _Part:
        inputs = [self._input(source) for source in one.sources]
        seen: set[ModelReference] = set()
        for source in one.sources:
            if source.model in seen:
                raise ConfigurationRefused(source.line, "model", f"{str(source.model)!r} is merged with itself")
            seen.add(source.model)
        depth = inputs[0].layers[1] - inputs[0].layers[0]
        for each in inputs:
            start, stop = each.layers
            if stop - start != depth:
                raise ConfigurationRefused(
                    each.source.line,
                    "layer_range",
                    f"{str(each.source.model)!r} gives {stop - start} layers, {str(inputs[0].source.model)!r} {depth}",
                )
        reference = one.base_model or self._asked.base_model
        base = next((index for index, each in enumerate(inputs) if each.source.model == reference), None)
        part = _Part(inputs, base, one.parameters, one.line, offset)
        self._check_inputs(part, reference)
        return part

    def _input(self, source: Source) -> _Input:
        model = self._model(source.model)
        depth = len(model.stack.layers)
        start, stop = source.layer_range or (0, depth)
        if stop > depth:
            raise ConfigurationRefused(
                source.line, "layer_range", f"[{start}, {stop}]: {str(source.model)!r} has {depth} layers"
            )
        return _Input(source, model, (start, stop))

    def _check_inputs(self, part: _Part, base: ModelReference | None) -> None:
        method = self._method
        if method is None:
            if len(part.inputs) > 1:
                raise ConfigurationRefused(part.inputs[1].source.line, "sources", "passthrough takes one model a slice")
            return
        if method.base in ("required", "first"):
            if base is None:
                raise ConfigurationRefused(
                    self._asked.method_line, "merge_method", f"{method.name} needs a `base_model`"
                )
            if part.base is None:
                raise ConfigurationRefused(part.line, "sources", f"the base {str(base)!r} is not among them")
        if method.base == "about" and part.base is not None:
            raise ConfigurationRefused(
                base.line if base else part.line, "base_model", f"{method.name} about a base is not supported"
            )
        least, most = method.inputs
        count = len(part.inputs) - (method.base in ("required", "first"))
        if count < least or (most is not None and count > most):
            allowed = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
            beside = " beside the base" if method.base in ("required", "first") else ""
            raise ConfigurationRefused(part.line, "models", f"{method.name} takes {allowed}{beside}, there are {count}")

    def _dtype_of(self, model: Model) -> str:
        """What an input is merged as."""
        return self._cast(model)[1]

    def _cast(self, model: Model) -> tuple[Recipe, str]:
        recipe, dtype = model.recipe, model.dtype
        for into in input_casts(model.dtype, self._asked.dtype, self._asked.out_dtype):
            recipe, dtype = node("cast", [recipe], dtype=into), into
        return recipe, dtype

    # -- recipes

    def _passed(self, parts: Sequence[_Part]) -> tuple[Recipe, Stack]:
        """passthrough: blocks of layers, or one model, each tensor scaled or as it is."""
        self._refuse_unknown(parts, (SCALE,))
        models = list(dict.fromkeys(part.inputs[0].source.model for part in parts))
        known = {part.inputs[0].source.model: part.inputs[0].model for part in parts}
        recipes = [self._cast(known[model])[0] for model in models]
        blocks = [
            (models.index(part.inputs[0].source.model), layer)
            for part in parts
            for layer in range(*part.inputs[0].layers)
        ]
        stacks = [known[model].stack for model in models]
        if len(models) == 1 and [layer for _, layer in blocks] == list(range(len(stacks[0].layers))):
            return self._scaled(recipes[0], parts), stacks[0]
        recipe = _stack_node(recipes, blocks, blocks[-1][0])
        return self._scaled(recipe, parts), stacked(stacks, blocks, blocks[0][0], blocks[-1][0])

    def _scaled(self, recipe: Recipe, parts: Sequence[_Part]) -> Recipe:
        """By `scale`, where a tensor has one."""
        factors: dict[str, float] = {}
        for index, part in enumerate(parts):
            (one,) = part.inputs
            scopes = (one.source.parameters, part.parameters, self._asked.parameters)
            for _, place, (own,) in self._places(part, [one], self._cut(one), index, len(parts)):
                found = resolve(SCALE.name, SCALE.kind, scopes, own)
                factors[place.name] = SCALE.default if found is None else found[0]
                if found is not None and abs(found[0]) > MOST_SCALE:
                    raise found[1].refused(f"{found[0]:g} is not within {-MOST_SCALE:g} to {MOST_SCALE:g}")
        if all(factor == 1 for factor in factors.values()):
            return recipe
        return _with_settings(node("scale", [recipe]), {name: {"factor": one} for name, one in factors.items()}, 1)

    def _merged(self, method: Method, part: _Part, index: int, count: int) -> tuple[Recipe, Stack]:
        self._refuse_unknown([part], method.parameters)
        order = list(range(len(part.inputs)))
        base = part.base if method.base in ("required", "first") else None
        if base is not None:
            order = [one for one in order if one != base]
        inputs = [part.inputs[one] for one in order]
        recipes, stacks = [self._restacked(one) for one in inputs], [self._cut(one) for one in inputs]
        origin = self._restacked(part.inputs[base]) if base is not None else None
        if method.base == "first" and base is not None:
            recipes, stacks = (
                [self._restacked(part.inputs[base]), *recipes],
                [self._cut(part.inputs[base]), *stacks],
            )
        stack = stacks[0]
        found: dict[str, dict[str, Any]] = {}
        for local, place, places in self._places(part, inputs, stack, index, count):
            found[local] = self._parameters(method, part, inputs, place, places)
        merged = node(method.op, recipes, origin, seed=self._seed)
        return _with_settings(merged, found, len(recipes)), stack

    def _places(
        self, part: _Part, inputs: Sequence[_Input], stack: Stack, index: int, count: int
    ) -> Iterable[tuple[str, Place, list[Place]]]:
        """(name in the slice, place in the result, place in each input) of each tensor that the result takes."""
        outside = [*(stack.before if index == 0 else ()), *(stack.after if index == count - 1 else ())]
        for name in outside:
            yield name, Place(name, 0.0), [Place(name, 0.0)] * len(inputs)
        for layer, rests in enumerate(stack.layers):
            for rest in rests:
                of = [one.model.stack.layout.named(one.layers[0] + layer, rest) for one in inputs]
                yield (
                    stack.layout.named(layer, rest),
                    layer_place(stack.layout.named(part.offset + layer, rest), layer, part.depth),
                    [layer_place(name, layer, part.depth) for name in of],
                )

    def _parameters(
        self, method: Method, part: _Part, inputs: Sequence[_Input], place: Place, places: Sequence[Place]
    ) -> dict[str, Any]:
        outer = (part.parameters, self._asked.parameters)
        shared = {
            parameter.name: self._value(method, parameter, outer, place, None)
            for parameter in method.parameters
            if parameter.scope == "shared"
        }
        each = [
            {
                parameter.name: self._value(method, parameter, (one.source.parameters, *outer), at, one.source)
                for parameter in method.parameters
                if parameter.scope != "shared"
            }
            for one, at in zip(inputs, places, strict=True)
        ]
        return method.ours(shared, each)

    def _value(
        self, method: Method, parameter: Parameter, scopes: Sequence[Settings], place: Place, source: Source | None
    ) -> Any:
        found = resolve(parameter.name, parameter.kind, scopes, place)
        if found is None:
            if parameter.default is None:
                line = source.line if source is not None else self._asked.method_line
                of = f" of {str(source.model)!r}" if source is not None else ""
                raise ConfigurationRefused(
                    line, parameter.name, f"{method.name} needs it{of}, and nothing sets it for `{place.name}`"
                )
            return parameter.default
        value, setting = found
        if parameter.only is not None and value != parameter.only:
            shown = str(parameter.only).lower() if parameter.kind == "flag" else f"{parameter.only:g}"
            raise setting.refused(f"{method.name} takes {shown} only: {parameter.why}")
        bounds = _bounds(method, parameter)
        if bounds is not None and not bounds[0] <= value <= bounds[1]:
            raise setting.refused(f"{value:g} is not within {bounds[0]:g} to {bounds[1]:g}")
        return value

    def _refuse_unknown(self, parts: Sequence[_Part], parameters: Sequence[Parameter]) -> None:
        """Of a parameter that the method has none of, mergekit says nothing."""
        known = {parameter.name for parameter in parameters}
        own = {parameter.name for parameter in parameters if parameter.scope != "shared"}
        for part in parts:
            for settings in (self._asked.parameters, part.parameters):
                _refuse_others(settings, known, self._asked.method)
            for one in part.inputs:
                _refuse_others(one.source.parameters, own, f"a model of {self._asked.method}")

    def _restacked(self, one: _Input) -> Recipe:
        """An input's layers as those of a model of their own."""
        recipe = self._cast(one.model)[0]
        if one.layers == (0, len(one.model.stack.layers)):
            return recipe
        return _stack_node([recipe], [(0, layer) for layer in range(*one.layers)], 0)

    def _cut(self, one: _Input) -> Stack:
        return one.model.stack.cut(*one.layers)


def _refuse_others(settings: Settings, known: set[str], taker: str) -> None:
    for name, setting in settings.items():
        if name not in known:
            takes = f"takes {', '.join(sorted(known))}" if known else "takes none"
            raise setting.refused(f"is no parameter of {taker}, which {takes}")


def _stack_node(models: list[Recipe], blocks: Sequence[tuple[int, int]], last: int) -> MergeNode:
    return node(
        "frankenmerge",
        models,
        stack=[list(pair) for pair in blocks],
        embedding_source=blocks[0][0],
        output_source=last,
    )


_OURS = {
    "weight": "weights",
    "lambda": "scale",
    "max_iter": "iterations",
    "tol": "tolerance",
    "select_topk": "selected",
}


def _bounds(method: Method, parameter: Parameter) -> tuple[float, float] | None:
    """What our op takes."""
    if parameter.kind == "flag":
        return None
    if parameter.name in ("density", "t") and method.op != "nearswap":
        return (0.0, 1.0) if parameter.name == "density" else (-999.0, 1000.0)
    properties = merge_method(method.op).parameters["properties"]
    schema = properties.get(_OURS.get(parameter.name, parameter.name))
    if schema is None:
        return None
    if "anyOf" in schema:
        schema = schema["anyOf"][0]["items"]
    return schema.get("minimum", schema.get("exclusiveMinimum")), schema["maximum"]


def _with_settings(merged: MergeNode, found: Mapping[str, Mapping[str, Any]], count: int) -> MergeNode:
    """found: tensor → parameters. What most tensors have stands in `parameters`, the rest by their names."""
    parameters, by_tensor = dict(merged.parameters), {}
    everywhere: dict[str, Any] = {}
    usual: dict[str, Any] = {}
    for key in next(iter(found.values()), {}):
        counted = Counter(_frozen(values[key]) for values in found.values())
        usual[key] = _thawed(counted.most_common(1)[0][0])
        if key != "weights" and isinstance(usual[key], list) and len(set(usual[key])) == 1:
            parameters[key] = usual[key][0]
        elif key != "weights" and isinstance(usual[key], list):
            everywhere[key] = usual[key]
        else:
            parameters[key] = usual[key]
    if everywhere:
        by_tensor["*"] = everywhere
    for name, values in found.items():
        differing = {
            key: value[0] if key != "weights" and isinstance(value, list) and len(set(value)) == 1 else value
            for key, value in values.items()
            if _frozen(value) != _frozen(usual[key])
        }
        if differing:
            by_tensor[name] = differing
    return merged.model_copy(update={"parameters": parameters, "by_tensor": by_tensor})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _thawed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
