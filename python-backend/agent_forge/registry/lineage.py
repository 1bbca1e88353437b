"""Where a model comes from, as a graph: models, ops, drawn weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from ..contract.model import Lineage, LineageEdge, LineageNode, Model
from ..contract.recipe import ImportOrigin, Leaf, MergeOrigin, Recipe, TrainingOrigin
from .recognised import UNKNOWN


def lineage(model: Model, lookup: Callable[[str], Model | None]) -> Lineage:
    """All ancestors of `model`, itself included; each node once, however often it was used.

    Nodes come before those that are made from them. A model that was deleted appears as `deleted`.
    """
    graph = _Graph(lookup)
    graph.model(model)
    return Lineage(nodes=list(graph.nodes.values()), edges=list(graph.edges))


def _gone(leaf: Leaf) -> str:
    return "unknown model" if leaf.model_id.startswith(UNKNOWN) else "deleted model"


class _Graph:
    def __init__(self, lookup: Callable[[str], Model | None]) -> None:
        self._lookup = lookup
        self._begun: set[str] = set()
        self.nodes: dict[str, LineageNode] = {}
        self.edges: dict[LineageEdge, None] = {}
        """In order of discovery."""

    def model(self, model: Model) -> str:
        if model.id in self._begun:
            return model.id
        self._begun.add(model.id)
        match model.origin:
            case MergeOrigin(recipe=recipe):
                self._edge(self.recipe(recipe), model.id, "result")
            case TrainingOrigin(initial=None) as origin:
                drawn = f"initialization:{origin.architecture.preset}:{origin.seed}"
                detail = {"seed": origin.seed, "preset": origin.architecture.preset.value}
                self._node(
                    LineageNode(id=drawn, name="drawn weights", kind="initialization", model_id=None, detail=detail)
                )
                self._edge(drawn, model.id, f"{origin.steps} training steps")
            case TrainingOrigin(initial=Leaf() as leaf) as origin:
                self._edge(self._leaf(leaf), model.id, f"{origin.steps} training steps")
            case ImportOrigin():
                pass
        detail = {"digest": model.digest, "parameters": model.parameters, "bytes": model.bytes}
        self._node(LineageNode(id=model.id, name=model.name, kind=model.kind.value, model_id=model.id, detail=detail))
        return model.id

    def recipe(self, recipe: Recipe) -> str:
        if isinstance(recipe, Leaf):
            return self._leaf(recipe)
        sources = [(f"input {i + 1}", self.recipe(part)) for i, part in enumerate(recipe.inputs)]
        if recipe.base is not None:
            sources.append(("base", self.recipe(recipe.base)))
        # named by content: equal subtrees are one node
        identity = "op:" + hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()[:16]
        detail = {"parameters": recipe.parameters, "seed": recipe.seed}
        self._node(LineageNode(id=identity, name=recipe.op, kind="op", model_id=None, detail=detail))
        for label, source in sources:
            self._edge(source, identity, label)
        return identity

    def _leaf(self, leaf: Leaf) -> str:
        model = self._lookup(leaf.model_id)
        if model is not None:
            return self.model(model)
        detail = {"digest": leaf.digest}
        self._node(LineageNode(id=leaf.model_id, name=_gone(leaf), kind="deleted", model_id=None, detail=detail))
        return leaf.model_id

    def _node(self, node: LineageNode) -> None:
        self.nodes.setdefault(node.id, node)

    def _edge(self, source: str, target: str, label: str) -> None:
        self.edges.setdefault(LineageEdge(source=source, target=target, label=label))
