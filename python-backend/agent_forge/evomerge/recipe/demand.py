"""Which tensors of each part of a recipe its result takes: blocks that frankenmerge leaves out need not be made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from ...contract.recipe import Leaf, MergeNode, Recipe
from ...registry.families.layout import layout_of
from ..errors import WrongInputs
from ..ops.registry import StateDict, merge_op_named
from ..vocabulary import Vocabularies
from .tree import parts

Place = tuple[int, str]
"""(index of the input, name of the tensor)"""


class Demand:
    """there: the tensors of a leaf, or of what is made already; None for any other recipe. key: names a recipe.
    lasting: recipes, by key, that are wanted whole. vocabularies: for ops that align them.

    Shapes and numbers of inputs are checked for whole models, whatever is taken of them.
    Raises `MergeRefused`, and what `there` raises.
    """

    def __init__(
        self,
        recipe: Recipe,
        there: Callable[[Recipe], Mapping[str, Tensor] | None],
        key: Callable[[Recipe], str],
        lasting: Iterable[str],
        vocabularies: Vocabularies | None = None,
    ) -> None:
        self._vocabularies = vocabularies
        self._there, self._key, self._lasting = there, key, frozenset(lasting)
        self._outlines: dict[str, StateDict] = {}
        self._copied: dict[str, dict[str, Place]] = {}
        self._taken: dict[str, set[str]] = {}
        self._take(recipe, self.outline(recipe))

    def outline(self, recipe: Recipe) -> StateDict:
        """Names, shapes and dtypes, on the meta device, in the model's order."""
        key = self._key(recipe)
        if key not in self._outlines:
            self._outlines[key] = self._outlined(recipe)
        return self._outlines[key]

    def taken(self, recipe: Recipe) -> list[str]:
        """Names of the tensors that are needed, in order. Empty where none is."""
        wanted = self._taken.get(self._key(recipe), set())
        return [name for name in self.outline(recipe) if name in wanted]

    def copied(self, node: MergeNode) -> dict[str, Place] | None:
        """Of an op that copies: where each tensor that it does not make comes from."""
        return self._copied.get(self._key(node))

    def _outlined(self, recipe: Recipe) -> StateDict:
        there = self._there(recipe)
        if there is not None:
            return _meta(there)
        if isinstance(recipe, Leaf):
            raise TypeError("a leaf is always there")
        op = merge_op_named(recipe.op)
        if not recipe.inputs:
            raise WrongInputs(f"{recipe.op}: no inputs")
        models = [_merged(self.outline(part)) for part in recipe.inputs]
        base = _merged(self.outline(recipe.base)) if recipe.base is not None else None
        outline = op.outline(models, base, recipe.parameters, recipe.by_tensor, self._vocabularies)
        if op.copies:
            places = {id(tensor): (index, name) for index, model in enumerate(models) for name, tensor in model.items()}
            own = {name: places[id(tensor)] for name, tensor in outline.items() if id(tensor) in places}
            self._copied[self._key(recipe)] = own
        return outline

    def _take(self, recipe: Recipe, names: Iterable[str]) -> None:
        key = self._key(recipe)
        taken = self._taken.setdefault(key, set())
        more = set(self.outline(recipe) if key in self._lasting else names) - taken
        taken |= more
        if not more or not isinstance(recipe, MergeNode) or self._there(recipe) is not None:
            return
        copied, op = self._copied.get(key), merge_op_named(recipe.op)
        for index, part in enumerate(recipe.inputs):
            if op.adapts and index == 1:
                self._take(part, self.outline(part))
            elif copied is not None:
                # what is made is made of all inputs' tensors of its name
                from_here = {name: copied.get(name, (index, name)) for name in more}
                self._take(part, (taken for source, taken in from_here.values() if source == index))
            else:
                # Fisher information, and permutations, are of whole models
                whole = op.whole or op.measures
                self._take(part, _merged(self.outline(part)) if whole else more)
        if recipe.base is not None:
            self._take(recipe.base, more)

    def needs(self, recipe: Recipe) -> list[Recipe]:
        """The parts of which anything is taken, once for each time that they are used."""
        if not isinstance(recipe, MergeNode) or self._there(recipe) is not None:
            return []
        return [part for part in parts(recipe) if self._taken.get(self._key(part))]


def _merged(model: Mapping[str, Tensor]) -> StateDict:
    """What merges read of a model: all but buffers, which whoever runs it computes."""
    return _meta({name: model[name] for name in layout_of(model).without_buffers(model)})


def _meta(model: Mapping[str, Tensor]) -> StateDict:
    """New tensors, so that each can be told from all others."""
    return {name: torch.empty_like(tensor, device="meta") for name, tensor in model.items()}
