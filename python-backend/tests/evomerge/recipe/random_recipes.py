"""Recipes drawn from a number, over real tiny models; as a program, what digests they have in a process of its own.

The models are TinyTitans whose embedding and output layer have more chunks than one thread takes at once, so that
threads do share tensors out. Their entries come from counters and are exact in float32: the same on every machine.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agent_forge.cognate.draws import Draws, key_of
from agent_forge.cognate.evaluation import Evaluator, ProblemSet
from agent_forge.contract.architecture import Preset, TinyTitan, tensor_shapes
from agent_forge.contract.recipe import Leaf, MergeNode, Recipe
from agent_forge.evomerge.layers import GROUPS
from agent_forge.evomerge.ops.registry import MergeOp, merge_ops
from agent_forge.evomerge.recipe.materialise import Recall, materialise
from agent_forge.evomerge.recipe.tree import nodes
from agent_forge.registry.tensors import digest_tensors

ARCHITECTURE = TinyTitan(preset=Preset.nano, vocab_size=8200, d_model=32, n_layers=2, n_heads=2, d_ff=24, window=8)
PROBLEMS = ProblemSet(datasets=("parity",), difficulty=1, problems=2)
NAMES = ("foundation", "a", "b", "c")
DTYPES = (torch.float32, torch.float32, torch.float32, torch.bfloat16, torch.float16, torch.float64)
MOST_NODES = 4

Model = Mapping[str, Tensor]


@cache
def model(name: str, dtype: torch.dtype) -> Model:
    """A foundation, or a model near it."""
    out = {}
    if name == "adapter":
        named = "base_model.model.transformer_blocks.1.linear1"
        shapes = {f"{named}.lora_A.weight": (3, ARCHITECTURE.d_model), f"{named}.lora_B.weight": (ARCHITECTURE.d_ff, 3)}
        return {
            key: torch.from_numpy(_entries(name, key, shape, 3).astype(np.float32)).to(dtype)
            for key, shape in shapes.items()
        }
    for tensor, shape in tensor_shapes(ARCHITECTURE).items():
        entries = 1.0 * (".norm" in tensor and tensor.endswith("weight")) + _entries("foundation", tensor, shape, 3)
        if name != "foundation":
            entries += _entries(name, tensor, shape, 6)
        out[tensor] = torch.from_numpy(entries.astype(np.float32)).to(dtype)
    return out


def _entries(name: str, tensor: str, shape: tuple[int, ...], scale: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Multiples of 2⁻²⁰ below 2⁻ˢᶜᵃˡᵉ in magnitude."""
    key = np.frombuffer(key_of(name, tensor)[:16], dtype="<u8").astype(np.uint64)
    words = np.atleast_1d(np.random.Philox(key=key).random_raw(int(np.prod(shape)))) >> np.uint64(43 + scale)
    return ((words.astype(np.float64) - 2.0 ** (20 - scale)) / 2**20).reshape(shape)


@cache
def leaf(name: str, dtype: torch.dtype) -> Leaf:
    return Leaf(model_id=f"{name} {str(dtype).removeprefix('torch.')}", digest=digest_tensors(model(name, dtype)))


def load(leaf: Leaf) -> Model:
    name, dtype = leaf.model_id.split()
    return model(name, getattr(torch, dtype))


@cache
def evaluator() -> Evaluator:
    return Evaluator(ARCHITECTURE, PROBLEMS, PROBLEMS)


def digest_of(recipe: Recipe, recall: Recall | None = None) -> str:
    return digest_tensors(materialise(recipe, load, evaluator(), recall, vocabulary))


VOCABULARIES = ("counted", "counted down", "later")


@cache
def vocabulary(name: str) -> Mapping[str, int]:
    """All of the same tokens, so that aligned models have the rows that they had."""
    size = ARCHITECTURE.vocab_size
    step, start = {"counted": (1, 0), "counted down": (-1, size - 1), "later": (1, 40)}[name]
    return {str(token): (start + step * token) % size for token in range(size)}


def drawn_recipe(number: int) -> MergeNode:
    """Every op has its turn at the root; what stands below is drawn."""
    names = sorted(merge_ops())
    draws = Draws("recipe", number)
    return _Tree(draws, draws.choice(DTYPES)).node(merge_ops()[names[number % len(names)]], _depth(draws))


def _depth(draws: Draws) -> int:
    """Blocks: the parents' own, or those of a stack."""
    return ARCHITECTURE.n_layers if draws.below(4) else draws.between(1, 5)


class _Tree:
    def __init__(self, draws: Draws, dtype: torch.dtype) -> None:
        self._draws, self._dtype = draws, dtype
        self._left = MOST_NODES

    def node(self, op: MergeOp, depth: int) -> MergeNode:
        self._left -= 1
        inner = depth
        if op.name == "frankenmerge":
            inner = ARCHITECTURE.n_layers
        elif depth != ARCHITECTURE.n_layers and op.measures:
            depth = inner = ARCHITECTURE.n_layers
        count = self._draws.between(op.inputs.least, min(op.inputs.most or 3, 3))
        if op.adapts:
            depth = inner = ARCHITECTURE.n_layers
        inputs = [self._part(inner) for _ in range(count)]
        if op.adapts:
            inputs[1] = leaf("adapter", self._dtype)
        base = self._part(inner) if "base" in op.needs and self._draws.below(4) else None
        parameters = {
            name: self._parameter(name, schema, count, depth)
            for name, schema in op.describe().parameters["properties"].items()
        }
        return MergeNode(
            op=op.name,
            inputs=inputs,
            base=base,
            parameters=op.parameters(parameters),
            seed=self._draws.below(1 << 20) if "draw" in op.needs else 0,
        )

    def _part(self, depth: int) -> Recipe:
        ops = merge_ops()
        if depth != ARCHITECTURE.n_layers:
            return self.node(ops["frankenmerge"], depth)
        if self._left <= 0 or self._draws.below(2):
            return leaf(self._draws.choice(NAMES), self._dtype)
        return self.node(ops[self._draws.choice(sorted(ops))], depth)

    def _parameter(self, name: str, schema: dict[str, Any], count: int, depth: int) -> Any:
        draws = self._draws
        match name:
            case "weights":
                if draws.below(3) == 0:
                    return {group: self._weights(count) for group in GROUPS if draws.below(2)}
                return self._weights(count) if draws.below(3) else []
            case "scale":
                return round(4 * draws.unit() - 2, 3)
            case "calibration":
                return dict(evaluator().calibration) | {"problems": PROBLEMS.problems}
            case "datasets":
                return [list(PROBLEMS.datasets)] * count if draws.below(2) else []
            case "of":
                return [draws.choice(VOCABULARIES) for _ in range(count)]
            case "target":
                return draws.between(-1, count - 1)
            case "tokens":
                return {"7": {"input": draws.below(count), "id": draws.below(99), "force": True}}
            case "factor":
                return round(4 * draws.unit() - 2, 3)
            case "alpha":
                return round(8 * draws.unit(), 3)
            case "alpha_by_module":
                return {"linear1": 3.0} if draws.below(2) else {}
            case "heads":
                return draws.choice((0, ARCHITECTURE.n_heads))
            case "stack":
                blocks = ARCHITECTURE.n_layers
                stacked = depth != blocks or draws.below(2)
                return [(draws.below(count), draws.below(blocks)) for _ in range(depth)] if stacked else []
            case "layer_sources":
                return [draws.below(count) for _ in range(ARCHITECTURE.n_layers)]
            case "embedding_source" | "output_source" | "index":
                return draws.below(count)
        if "enum" in schema:
            return draws.choice(schema["enum"])
        if schema["type"] == "boolean":
            return bool(draws.below(2))
        if schema["type"] == "integer":
            return draws.between(schema["minimum"], schema["default"])
        if "exclusiveMinimum" in schema:
            return schema["default"]
        least, most, usual = schema["minimum"], min(schema["maximum"], 2), schema["default"]
        return draws.choice((least, most, usual, *(round(least + draws.unit() * (most - least), 4) for _ in range(3))))

    def _weights(self, count: int) -> list[float]:
        return [round(0.1 + 1.9 * self._draws.unit(), 3) for _ in range(count)]


def pinned(op: str) -> dict[str, Any]:
    """The first recipe of an op that measures nothing and makes something new, with its digest."""
    ops = sorted(merge_ops())
    leaves = {leaf(name, dtype).digest for name in NAMES for dtype in DTYPES}
    for number in range(ops.index(op), 1000, len(ops)):
        recipe = drawn_recipe(number)
        if not any(merge_ops()[node.op].measures for node in nodes(recipe) if isinstance(node, MergeNode)):
            digest = digest_of(recipe)
            if digest not in leaves:
                return {"digest": digest, "recipe": recipe.model_dump(mode="json")}
    raise ValueError(f"every recipe of {op} measures its inputs")


def main() -> None:
    """`pin OP…`: lines for pinned_recipes.jsonl. `digest THREADS`: recipes as lines of JSON in, their digests out."""
    match sys.argv[1:]:
        case ["pin", *ops]:
            for op in ops:
                sys.stdout.write(json.dumps(pinned(op)) + "\n")
        case ["digest", threads]:
            torch.set_num_threads(int(threads))
            for line in sys.stdin:
                sys.stdout.write(digest_of(MergeNode.model_validate_json(line)) + "\n")
        case _:
            sys.exit(main.__doc__)


if __name__ == "__main__":
    main()
