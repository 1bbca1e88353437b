"""From recipes to merge configurations: the way back, where mergekit has words for it. Free of torch.

Each merge becomes a document; those that others take have names. Settings that differ between tensors become filters,
by layer where all of a layer's tensors agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import yaml

from ..contract.recipe import Leaf, MergeNode, Recipe
from ..evomerge.layers import group_of
from ..evomerge.recipe.tree import node, nodes, parts, recipe_digest
from ..evomerge.stack import Stack, stacked
from .configuration import DTYPES
from .dtypes import combined_dtype, input_casts
from .errors import NotExpressible
from .methods import BY_OP, PASSTHROUGH, SCALE, Method

Directory = Callable[[Leaf], tuple[str, Stack, str]]
"""A registered model → how a configuration names it, its tensors, and the widest type of them that are floats."""
_STACKS, _SCALE = "frankenmerge", "scale"
ALIGN = "align_vocabulary"


def exported(recipe: Recipe, directory: Directory) -> str:
    """The recipe as YAML. Raises `NotExpressible`."""
    recipe, tokenizer = _unaligned(recipe, directory)
    pipeline = _Pipeline(directory)
    if isinstance(recipe, Leaf):
        pipeline.documents.append(_copy(pipeline.reference(recipe)))
    else:
        pipeline.document(recipe, None)
    if tokenizer is not None:
        _check_tokens(pipeline.documents, tokenizer)
        pipeline.documents[-1]["tokenizer"] = tokenizer.words
    return str(yaml.dump_all(pipeline.documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


@dataclass(frozen=True)
class _Tokenizer:
    words: dict[str, Any]
    first: str
    """The model whose vocabulary a union begins with."""
    based: bool
    models: frozenset[str]


def _unaligned(recipe: Recipe, directory: Directory) -> tuple[Recipe, _Tokenizer | None]:
    """A recipe without what a tokenizer's source says of all of its models, and that."""
    aligning = [one for one in nodes(recipe) if isinstance(one, MergeNode) and one.op == ALIGN]
    if not aligning:
        return recipe, None
    given = {**aligning[0].parameters, "index": 0}
    alike = all(
        one.inputs == aligning[0].inputs and {**one.parameters, "index": 0} == given and given["of"] for one in aligning
    )
    leaves = [part for part in aligning[0].inputs if isinstance(part, Leaf)]
    if not alike or len(leaves) != len(aligning[0].inputs):
        raise NotExpressible("models are aligned to different vocabularies")
    names = [directory(leaf)[0] for leaf in leaves]
    target = given["target"]
    words: dict[str, Any] = {"source": names[target] if target >= 0 else "union"}
    if given["tokens"]:
        words["tokens"] = {token: _token_source(row, names) for token, row in given["tokens"].items()}
    if given["multiple_of"] > 1:
        words["pad_to_multiple_of"] = given["multiple_of"]
    return _plain(recipe), _Tokenizer(words, names[0], given["based"], frozenset(names))


def _plain(recipe: Recipe) -> Recipe:
    if isinstance(recipe, Leaf):
        return recipe
    if recipe.op == ALIGN:
        return recipe.inputs[int(recipe.parameters["index"])]
    base = _plain(recipe.base) if recipe.base is not None else None
    return recipe.model_copy(update={"inputs": [_plain(part) for part in recipe.inputs], "base": base})


def _token_source(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    force = {"force": True} if row.get("force") else {}
    if "input" not in row:
        return {"source": {"kind": "zero"}} | force
    name = names[row["input"]]
    if "token" in row or "id" in row:
        own = {"token": row["token"]} if "token" in row else {"token_id": row["id"]}
        return {"source": {"kind": "model_token", "model": name} | own} | force
    return {"source": name} | force


def _check_tokens(documents: Sequence[Mapping[str, Any]], tokenizer: _Tokenizer) -> None:
    """Raises `NotExpressible` where the configuration would align others, or in another order."""
    if len(documents) > 1:
        raise NotExpressible("vocabularies are aligned in a recipe of several merges")
    (document,) = documents
    sources = [part for one in document.get("slices", ()) for part in one["sources"]]
    named = [one["model"] for one in [*document.get("models", ()), *sources]]
    base = document.get("base_model")
    everyone = {*named, *([base] if base is not None else [])}
    if (base or named[0]) != tokenizer.first or (base is not None) != tokenizer.based or everyone != tokenizer.models:
        raise NotExpressible("vocabularies are aligned to that of another model than the base, or the first")


class _Dumper(yaml.SafeDumper):
    """Lists of numbers in one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_list(self, data: Iterable[Any]) -> yaml.SequenceNode:
        items = list(data)
        plain = all(isinstance(item, bool | int | float) for item in items)
        return self.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=plain)


_Dumper.add_representer(list, _Dumper.represent_list)


def _copy(name: str) -> dict[str, Any]:
    return {"merge_method": PASSTHROUGH, "models": [{"model": name}]}


@dataclass(frozen=True)
class _Source:
    """An input. name: as the configuration says it; layers: [from, to), null: all."""

    name: str
    stack: Stack
    layers: tuple[int, int] | None

    def own(self, name: str) -> str:
        """What the input itself calls a tensor of the result."""
        place = self.stack.layout.place(name)
        if place.layer is None or self.layers is None:
            return name
        return self.stack.layout.named(self.layers[0] + place.layer, place.rest)


@dataclass
class _Pipeline:
    directory: Directory
    documents: list[dict[str, Any]] = field(default_factory=list)
    named: dict[str, tuple[str, Stack]] = field(default_factory=dict)
    """Recipe's digest → name and tensors of its document."""

    def reference(self, recipe: Recipe) -> str:
        return self._found(recipe)[0]

    def _found(self, recipe: Recipe) -> tuple[str, Stack]:
        if isinstance(recipe, Leaf):
            return self.directory(recipe)[:2]
        key = recipe_digest(recipe)
        if key not in self.named:
            # the name is settled when all that it takes has its own
            stack = self.document(recipe, key)
            self.named[key] = (self.documents[-1]["name"], stack)
        return self.named[key]

    def document(self, recipe: MergeNode, key: str | None) -> Stack:
        """Append the document of a merge, after those of its parts. key: null for the result."""
        inner: Recipe = recipe
        target = None
        if recipe.op == "cast":
            inner, target = recipe.inputs[0], recipe.parameters["dtype"]
        if isinstance(inner, MergeNode) and inner.op != "cast":
            write = self._passed if inner.op in (_STACKS, _SCALE) else self._merge
            written = write(inner, target)
            if written is not None:
                self._append(written[0], key)
                return written[1]
        fitting = self._fitting([recipe], None, whole=True, copied=True)
        if fitting is None:
            raise NotExpressible(f"a cast to {target}, which it is already")
        types, (source,) = fitting
        self._append(_copy(source.name) | types, key)
        return source.stack

    def _append(self, found: dict[str, Any], key: str | None) -> None:
        name = {} if key is None else {"name": f"merge-{len(self.documents) + 1}"}
        self.documents.append(name | found)

    # -- one merge

    def _merge(self, merge: MergeNode, target: str | None) -> tuple[dict[str, Any], Stack] | None:
        """target: what the result is cast to. None where no types of numbers give these casts."""
        method = BY_OP.get(merge.op)
        if method is None:
            raise NotExpressible(f"mergekit has no method that does what `{merge.op}` does")
        inputs = list(merge.inputs)
        base = merge.base
        if method.base == "required" and base is None:
            base = node("linear", inputs)
        if method.base == "first":
            base, *inputs = inputs
        if len(inputs) < method.inputs[0]:
            raise NotExpressible(f"{method.name} of {len(inputs)} models beside the base")
        everyone = [*inputs, *([base] if base is not None else [])]
        fitting = self._fitting(everyone, target)
        if fitting is None:
            return None
        types, sources = fitting
        names = [source.name for source in sources]
        if len(set(names)) < len(names):
            raise NotExpressible(f"{method.name}: a model is taken twice, which mergekit refuses")
        stack = sources[0].stack if sources[0].layers is None else sources[0].stack.cut(*sources[0].layers)
        shared, each = self._settings(method, merge, stack, sources[: len(inputs)])
        document: dict[str, Any] = {"merge_method": method.name}
        if base is not None:
            document["base_model"] = sources[-1].name
        if sources[0].layers is None:
            document["models"] = [
                {"model": source.name} | ({"parameters": own} if own else {})
                for source, own in zip(sources[: len(inputs)], each, strict=True)
            ]
        else:
            document["slices"] = [
                {
                    "sources": [
                        {"model": source.name, "layer_range": list(source.layers or ())}
                        | ({"parameters": own} if own else {})
                        for source, own in zip(sources, [*each, *([{}] if base is not None else [])], strict=True)
                    ]
                }
            ]
        if shared:
            document["parameters"] = shared
        return document | types, stack

    def _settings(
        self, method: Method, merge: MergeNode, stack: Stack, sources: Sequence[_Source]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        count = len(merge.inputs)
        found = {name: method.theirs(_parameters(merge, name, stack), count) for name in stack.names()}
        if not found:
            raise NotExpressible(f"{method.name}: there are no tensors")
        shared = {
            key: _setting({name: values[key] for name, (values, _) in found.items()}, stack, lambda name: name)
            for key in next(iter(found.values()))[0]
        }
        each = [
            {
                key: _setting({name: own[index][key] for name, (_, own) in found.items()}, stack, source.own)
                for key in next(iter(found.values()))[1][index]
            }
            for index, source in enumerate(sources)
        ]
        return shared, each

    # -- models and stacks of layers as they are, or scaled

    def _passed(self, merge: MergeNode, target: str | None) -> tuple[dict[str, Any], Stack] | None:
        if merge.op == _STACKS:
            return self._stack(merge, target, None)
        (inner,) = merge.inputs
        if isinstance(inner, MergeNode) and inner.op == _STACKS:
            return self._stack(inner, target, merge)
        fitting = self._fitting([inner], target, whole=True)
        if fitting is None:
            return None
        types, (source,) = fitting
        factors = {name: _parameters(merge, name, source.stack)["factor"] for name in source.stack.names()}
        model = {"model": source.name} | _factors(factors, source.stack, source.own)
        return {"merge_method": PASSTHROUGH, "models": [model]} | types, source.stack

    def _stack(
        self, merge: MergeNode, target: str | None, scale: MergeNode | None
    ) -> tuple[dict[str, Any], Stack] | None:
        fitting = self._fitting(merge.inputs, target, whole=True)
        if fitting is None:
            return None
        types, sources = fitting
        stacks = [source.stack for source in sources]
        blocks = blocks_of(merge, len(stacks[0].layers))
        first, last = merge.parameters["embedding_source"], merge.parameters["output_source"]
        if first != blocks[0][0] or last != blocks[-1][0]:
            raise NotExpressible(
                "mergekit takes what stands before and after the layers from the models of the outermost ones"
            )
        stack = stacked(stacks, blocks, first, last)
        runs, slices, position = _runs(blocks), [], 0
        for index, (start, stop, source) in enumerate(runs):
            own = {name: name for name in (stack.before if index == 0 else ())}
            for layer in range(start, stop):
                of = stacks[source]
                own |= {stack.layout.named(position, rest): of.layout.named(layer, rest) for rest in of.layers[layer]}
                position += 1
            own |= {name: name for name in (stack.after if index == len(runs) - 1 else ())}
            found = {"model": sources[source].name, "layer_range": [start, stop]}
            if scale is not None:
                factors = {name: _parameters(scale, name, stack)["factor"] for name in own}
                found |= _factors(factors, stack, own.__getitem__)
            slices.append({"sources": [found]})
        return {"merge_method": PASSTHROUGH, "slices": slices} | types, stack

    # -- inputs and their types

    def _fitting(
        self, recipes: Sequence[Recipe], target: str | None, *, whole: bool = False, copied: bool = False
    ) -> tuple[dict[str, Any], list[_Source]] | None:
        """The `dtype` and `out_dtype` by which inputs and result are cast as they are, and the inputs without casts.

        target: what the result is cast to. whole: what cuts a model is a document of its own.
        copied: nothing is merged, so that there must be a cast.
        """
        cuts = [None if whole else _cut_of(recipe) for recipe in recipes]
        if any(cut is None for cut in cuts):
            # of one merge all are cut, or none
            cuts = [None] * len(recipes)
        inner = [cut[0] if cut else recipe for recipe, cut in zip(recipes, cuts, strict=True)]
        dtype = combined_dtype(map(self._dtype, inner))
        best: tuple[int, dict[str, Any], list[Recipe]] | None = None
        for asked, out in sorted(product((None, *DTYPES), repeat=2), key=lambda pair: 2 - pair.count(None)):
            bare = [one for one in (self._bare(recipe, asked, out) for recipe in inner) if one is not None]
            wanted = out or asked or dtype
            if len(bare) < len(inner) or (wanted if wanted != dtype else None) != target:
                continue
            spared = sum(one is not recipe for one, recipe in zip(bare, inner, strict=True))
            types = ({"dtype": asked} if asked else {}) | ({"out_dtype": out} if out else {})
            if best is None or spared > best[0]:
                best = spared, types, bare
        if best is None or (copied and not best[0]):
            return None
        sources = []
        for recipe, cut in zip(best[2], cuts, strict=True):
            name, stack = self._found(recipe)
            sources.append(_Source(name, stack, cut[1] if cut else None))
        return best[1], sources

    def _bare(self, recipe: Recipe, asked: str | None, out: str | None) -> Recipe | None:
        """The recipe without the casts that these types bring; None where they would bring others."""
        casts: list[str] = []
        found: Recipe | None = None
        while True:
            if input_casts(self._dtype(recipe), asked, out) == casts:
                found = recipe
            if isinstance(recipe, Leaf) or recipe.op != "cast" or len(casts) == 2:
                return found
            casts.insert(0, recipe.parameters["dtype"])
            (recipe,) = recipe.inputs

    def _dtype(self, recipe: Recipe) -> str:
        if isinstance(recipe, Leaf):
            return self.directory(recipe)[2]
        if recipe.op == "cast":
            return str(recipe.parameters["dtype"])
        return combined_dtype(map(self._dtype, parts(recipe)))


def _cut_of(recipe: Recipe) -> tuple[Recipe, tuple[int, int]] | None:
    """Of a model's successive layers: the model, and [from, to)."""
    if not isinstance(recipe, MergeNode) or recipe.op != _STACKS or len(recipe.inputs) > 1:
        return None
    blocks = [layer for _, layer in recipe.parameters["stack"]]
    if not blocks or blocks != list(range(blocks[0], blocks[-1] + 1)):
        return None
    return recipe.inputs[0], (blocks[0], blocks[-1] + 1)


def blocks_of(merge: MergeNode, depth: int) -> list[tuple[int, int]]:
    """(input, layer) of a frankenmerge, bottom up. depth: of its first input."""
    blocks = [(source, layer) for source, layer in merge.parameters["stack"]]
    sources = merge.parameters["layer_sources"] or [0] * depth
    return blocks or [(source, layer) for layer, source in enumerate(sources)]


def _runs(blocks: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """(from, to, input) of layers that follow each other."""
    runs: list[tuple[int, int, int]] = []
    for source, layer in blocks:
        if runs and runs[-1][2] == source and runs[-1][1] == layer:
            runs[-1] = (runs[-1][0], layer + 1, source)
        else:
            runs.append((layer, layer + 1, source))
    return runs


def _parameters(merge: MergeNode, name: str, stack: Stack) -> dict[str, Any]:
    """The op's parameters for one tensor."""
    found = {**merge.parameters, **merge.by_tensor.get("*", {}), **merge.by_tensor.get(name, {})}
    weights = found.get("weights")
    if isinstance(weights, dict):
        found["weights"] = weights.get(name, weights.get(group_of(name, stack.layout), []))
    return found


def _setting(values: Mapping[str, Any], stack: Stack, own: Callable[[str], str]) -> Any:
    """One value, or such by filter. values: of each tensor of the result. own: its name where the filter is applied.

    Raises `NotExpressible` where no filters tell the tensors apart.
    """
    (usual, _), *others = Counter(values.values()).most_common()
    if not others:
        return usual
    choices = [(pattern, value) for pattern, value in _filters(values, stack, own) if value is not None]
    for name, value in values.items():
        found = next((choice for pattern, choice in choices if pattern in own(name)), usual)
        if found != value:
            raise NotExpressible(f"no filter tells `{own(name)}` from the others")
    return [*({"filter": pattern, "value": value} for pattern, value in choices), {"value": usual}]


def _factors(values: Mapping[str, float], stack: Stack, own: Callable[[str], str]) -> dict[str, Any]:
    """`parameters` of a source, where there is a factor."""
    if all(value == 1 for value in values.values()):
        return {}
    return {"parameters": {SCALE.name: _setting(values, stack, own)}}


def _filters(values: Mapping[str, Any], stack: Stack, own: Callable[[str], str]) -> list[tuple[str, Any]]:
    """The most specific first. Tensors of the usual value have filters too where another's would hold for them."""
    usual = Counter(values.values()).most_common(1)[0][0]
    layers: dict[str, set[Any]] = {}
    for name, value in values.items():
        layers.setdefault(_layer_prefix(name, stack, own), set()).add(value)
    found: dict[str, Any] = {}
    for name, value in values.items():
        prefix = _layer_prefix(name, stack, own)
        found[prefix if prefix and len(layers[prefix]) == 1 else own(name)] = value
    taken = [pattern for pattern, value in found.items() if value != usual]
    return sorted(
        (
            (pattern, value)
            for pattern, value in found.items()
            if value != usual or any(other in pattern for other in taken)
        ),
        key=lambda choice: (-len(choice[0]), choice[0]),
    )


def _layer_prefix(name: str, stack: Stack, own: Callable[[str], str]) -> str:
    """`model.layers.3.`; empty for what stands in no layer."""
    place = stack.layout.place(name)
    return own(name)[: -len(place.rest)] if place.layer is not None else ""
