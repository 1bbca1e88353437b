"""A hundred recipes: the same bytes with any number of threads, in any process, on any machine, in any release."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from evomerge.recipe import random_recipes
from evomerge.recipe.random_recipes import ARCHITECTURE, digest_of, drawn_recipe
from numpy._core import _multiarray_umath as numpy_core

from agent_forge.contract.recipe import MergeNode
from agent_forge.evomerge.ops.chunks import CHUNK
from agent_forge.evomerge.ops.registry import merge_ops
from agent_forge.evomerge.recipe.materialise import Recall
from agent_forge.evomerge.recipe.tree import nodes

RECIPES = [drawn_recipe(number) for number in range(110)]
PINNED = [json.loads(line) for line in Path(__file__).with_name("pinned_recipes.jsonl").read_text().splitlines()]
"""Recipes of every op that measures nothing, with their digests. A change of one makes every model that was merged
so before fail its verification."""


def merges(recipe: MergeNode) -> Iterator[MergeNode]:
    return (node for node in nodes(recipe) if isinstance(node, MergeNode))


@contextmanager
def elsewhere(recipes: Sequence[MergeNode], environment: Mapping[str, str], threads: int) -> Iterator[list[str]]:
    """Their digests in another process, which works while the caller does; filled in at the end."""
    digests: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", random_recipes.__name__, "digest", str(threads)],
        env={**os.environ, "PYTHONPATH": str(Path(random_recipes.__file__).parents[2]), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write("".join(recipe.model_dump_json() + "\n" for recipe in recipes))
        process.stdin.close()
        process.stdin = None
        yield digests
        digests += process.communicate()[0].split()
    assert process.returncode == 0


def test_the_recipes_are_of_all_kinds() -> None:
    assert {node.op for recipe in RECIPES for node in merges(recipe)} == set(merge_ops())
    assert max(sum(1 for _ in merges(recipe)) for recipe in RECIPES) >= 5
    stacks = {
        len(node.parameters["stack"]) for recipe in RECIPES for node in merges(recipe) if node.op == "frankenmerge"
    }
    assert stacks >= set(range(6))
    assert ARCHITECTURE.vocab_size * ARCHITECTURE.d_model > 2 * CHUNK, "one thread would take all chunks"


# A process may have to compile every kernel first.
def test_same_bytes_with_other_threads_and_in_a_fresh_process() -> None:
    """There also in another order and with nothing to recall: what one recipe leaves behind must not matter."""
    with elsewhere(RECIPES[::-1], {"PYTHONHASHSEED": "1"}, threads=1) as fresh:
        torch.set_num_threads(2)
        recall = Recall()
        here = [digest_of(recipe, recall) for recipe in RECIPES]
    for number, (one, other) in enumerate(zip(here, fresh[::-1], strict=True)):
        assert one == other, f"recipe {number}: {RECIPES[number].model_dump_json()}"
    assert len(set(here)) > 80


def test_same_bytes_as_ever_and_without_vector_instructions() -> None:
    features = [name for name in numpy_core.__cpu_dispatch__ if numpy_core.__cpu_features__[name]]
    lesser = {
        "ATEN_CPU_CAPABILITY": "default",
        "NPY_DISABLE_CPU_FEATURES": " ".join(features),
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
    }
    recipes = [MergeNode.model_validate(one["recipe"]) for one in PINNED]
    with elsewhere(recipes, lesser, threads=1) as found:
        pass
    assert [(recipe.op, one) for recipe, one in zip(recipes, found, strict=True)] == [
        (recipe.op, one["digest"]) for recipe, one in zip(recipes, PINNED, strict=True)
    ]
    measuring = {name for name, op in merge_ops().items() if op.measures}
    assert {recipe.op for recipe in recipes} == set(merge_ops()) - measuring, (
        "PYTHONPATH=tests python -m evomerge.recipe.random_recipes pin OP"
    )
