"""From a recipe to the tensors that it stands for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from ...contract.recipe import Leaf, MergeNode, Recipe
from ...registry.families.layout import layout_of
from ..errors import WrongInputs
from ..ops.registry import Grams, StateDict, merge_op_named, refuse_non_finite
from ..ops.statistics_cache import Statistic, StatisticsCache
from ..vocabulary import Vocabularies
from .demand import Demand
from .tree import parts, recipe_digest

LoadLeaf = Callable[[Leaf], Mapping[str, Tensor]]
"""A registered model's tensors. It vouches for them: they have the digest that the leaf pins."""
Measure = Callable[[Mapping[str, Tensor], Mapping[str, Any]], Mapping[str, Tensor]]
"""(tensors, calibration) → what is found out about them, by name."""


class Measuring(Protocol):
    """What runs models on a calibration batch, see `fitness.Evaluator`."""

    def fisher(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> Mapping[str, Tensor]: ...

    def grams(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> Mapping[str, Tensor]: ...


@dataclass
class Recall:
    """What many recipes over the same leaves may share. Changes no byte of any result.

    Recipes are named by their digest. What leaves and lasting recipes have in common is that they come again.
    """

    lasting: set[str] = field(default_factory=set)
    """Recipes whose model is kept once it is made."""
    made: dict[str, StateDict] = field(default_factory=dict)
    """Lasting recipe → its model. One model's size each."""
    statistics: dict[Hashable, Any] = field(default_factory=dict)
    """(tensor, leaves or lasting recipes, what) → what an op has found out about them."""
    fishers: dict[tuple[str, str], Mapping[str, Tensor]] = field(default_factory=dict)
    """(leaf or lasting recipe, calibration) → diagonal Fisher. One model's size each."""
    finite: set[str] = field(default_factory=set)
    """Digests of leaves' tensors that hold neither NaN nor an infinity."""

    def forget(self, recipes: Iterable[Recipe]) -> None:
        """Let go of what was made from lasting recipes, and of what was found out about them."""
        keys = {recipe_digest(recipe) for recipe in recipes}
        self.lasting -= keys
        self.made = {key: made for key, made in self.made.items() if key not in keys}
        self.statistics.clear()


def materialise(
    recipe: Recipe,
    load_leaf: LoadLeaf,
    measuring: Measuring | None = None,
    recall: Recall | None = None,
    vocabularies: Vocabularies | None = None,
) -> dict[str, Tensor]:
    """Make the model that a recipe stands for; the same bytes in every process.

    Of each part only the tensors that the result takes are made, and a sub-recipe that occurs twice is made once; what
    is no longer needed is let go at once. The result may share memory with the leaves, which are left unchanged.
    Ops that measure their inputs need `measuring`: their bytes are the same wherever it gives the same bytes (the same
    machine type and torch version). Those that align vocabularies need `vocabularies`.

    Raises `MergeRefused` (see errors.py), and what `load_leaf` and `measuring` raise.
    """
    return _Work(recipe, load_leaf, measuring, recall or Recall(), vocabularies).make(recipe)


class _Work:
    """One materialisation: what is made so far, and how often each part is still needed."""

    def __init__(
        self,
        recipe: Recipe,
        load_leaf: LoadLeaf,
        measuring: Measuring | None,
        recall: Recall,
        vocabularies: Vocabularies | None,
    ) -> None:
        self._load_leaf, self._measuring, self._recall = load_leaf, measuring, recall
        self._vocabularies = vocabularies
        self._keys: dict[int, str] = {}
        self._needed: Counter[str] = Counter()
        self._leaves: dict[str, StateDict] = {}
        self._made: dict[str, StateDict] = {}
        self._demand = Demand(recipe, self._there, self._key, recall.lasting, vocabularies)
        self._count(recipe)

    def make(self, recipe: Recipe) -> StateDict:
        """All of it that is needed."""
        key = self._key(recipe)
        made = self._made.get(key) or self._there(recipe)
        if made is None and isinstance(recipe, MergeNode):
            made = self._merge(recipe)
            if key in self._recall.lasting:
                self._recall.made[key] = made
        self._needed[key] -= 1
        if self._needed[key] > 0:
            self._made[key] = made or {}
        else:
            self._made.pop(key, None)
        return made or {}

    def _there(self, recipe: Recipe) -> StateDict | None:
        """A leaf, or what was made by an earlier recipe."""
        key = self._key(recipe)
        if not isinstance(recipe, Leaf):
            return self._recall.made.get(key)
        if key not in self._leaves:
            self._leaves[key] = self._load(recipe)
        return self._leaves[key]

    def _load(self, leaf: Leaf) -> StateDict:
        tensors = dict(self._load_leaf(leaf))
        if leaf.digest not in self._recall.finite:
            refuse_non_finite(tensors, f"model {leaf.model_id}")
            self._recall.finite.add(leaf.digest)
        return tensors

    def _merge(self, node: MergeNode) -> StateDict:
        op, names = merge_op_named(node.op), self._demand.taken(node)
        needed = {self._key(part) for part in self._demand.needs(node)}
        models = [self.make(part) if self._key(part) in needed else {} for part in node.inputs]
        copied = self._demand.copied(node)
        places = copied or {}
        kept = {name: models[places[name][0]][places[name][1]] for name in names if name in places}
        if copied is not None and len(kept) == len(names):
            return kept
        names = [name for name in names if name not in kept]
        base = self.make(node.base) if node.base is not None else None
        diagonals = None
        if "fisher" in op.needs:
            calibration = node.parameters.get("calibration", {})
            diagonals = [self._diagonal(part, m, calibration) for part, m in zip(node.inputs, models, strict=True)]
        # what works on whole models reads all of them that the result has
        read = list(self._demand.outline(node)) if op.whole and copied is None else names
        merged = op(
            [model if op.adapts and index == 1 else _only(read, model) for index, model in enumerate(models)],
            base=_only(names, base) if base is not None else None,
            fisher=diagonals,
            grams=self._grams(node),
            vocabularies=self._vocabularies,
            seed=node.seed,
            statistics=lambda name: self._known(node, name),
            known_finite=True,
            layout=layout_of(self._demand.outline(node)),
            by_tensor=node.by_tensor,
            **node.parameters,
        )
        return merged if not kept else {name: (kept | merged)[name] for name in self._demand.taken(node)}

    def _known(self, node: MergeNode, tensor: str) -> StatisticsCache:
        def cached(inputs: Sequence[int], what: Hashable, make: Callable[[], Statistic]) -> Statistic:
            # without a base θ₀ is the mean of all inputs
            involved = parts(node) if node.base is None else [*(node.inputs[index] for index in inputs), node.base]
            if not all(map(self._comes_again, involved)):
                return make()
            place = (tensor, *map(self._key, involved), what)
            if place not in self._recall.statistics:
                self._recall.statistics[place] = make()
            found: Statistic = self._recall.statistics[place]
            return found

        return cached

    def _able(self) -> Measuring:
        if self._measuring is None:
            raise WrongInputs("this recipe measures its inputs, and nothing here can measure them")
        return self._measuring

    def _grams(self, node: MergeNode) -> Grams:
        calibration, own = node.parameters.get("calibration", {}), node.parameters.get("datasets", [])

        def grams(index: int, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
            found = self._able().grams(tensors, {**calibration, "datasets": own[index]} if own else calibration)
            refuse_non_finite(found, f"input {index}: what its matrices read")
            return found

        return grams

    def _diagonal(
        self, part: Recipe, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]
    ) -> Mapping[str, Tensor]:
        measuring = self._able()
        if not self._comes_again(part):
            return _finite(measuring.fisher(tensors, calibration))
        known = (self._key(part), json.dumps(calibration, sort_keys=True))
        if known not in self._recall.fishers:
            self._recall.fishers[known] = _finite(measuring.fisher(tensors, calibration))
        return self._recall.fishers[known]

    def _comes_again(self, recipe: Recipe) -> bool:
        return isinstance(recipe, Leaf) or self._key(recipe) in self._recall.lasting

    def _key(self, recipe: Recipe) -> str:
        return self._keys.setdefault(id(recipe), recipe_digest(recipe))

    def _count(self, recipe: Recipe) -> None:
        key = self._key(recipe)
        self._needed[key] += 1
        # the parts of something that is made once are needed once
        if self._needed[key] == 1:
            for part in self._demand.needs(recipe):
                self._count(part)


def _only(names: Sequence[str], model: Mapping[str, Tensor]) -> StateDict:
    return {name: model[name] for name in names}


def _finite(diagonal: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Raises `NonFinite` where squares of gradients overflow."""
    refuse_non_finite(diagonal, "the Fisher information")
    return diagonal
