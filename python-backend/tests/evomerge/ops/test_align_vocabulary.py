"""Rows by token, against a plain account of the rules, in memory and written tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agent_forge.contract.recipe import Leaf
from agent_forge.evomerge import streaming
from agent_forge.evomerge.errors import BadParameter, ShapesDiffer
from agent_forge.evomerge.ops.align_vocabulary import align_vocabulary
from agent_forge.evomerge.recipe.materialise import materialise
from agent_forge.evomerge.recipe.tree import node
from agent_forge.evomerge.streaming import stream
from agent_forge.registry.tensors import digest_tensors, load_tensors

VOCABULARIES = {
    # two rows more than tokens, and an id that is nobody's
    "base": {"a": 0, "b": 1, "c": 3, "d": 4},
    "one": {"b": 0, "a": 1, "x": 2, "y": 3, "beyond": 6},
    "two": {"y": 0, "c": 1, "x": 2, "z": 3, "a": 4},
}
ROWS = {"base": 7, "one": 5, "two": 5}
NAMES = list(VOCABULARIES)
UNION = ["a", "b", None, "c", "d", "x", "y", "z"]
ALL = {"of": NAMES}
EMBEDDING, HEAD, LAYER = "model.embed_tokens.weight", "lm_head.weight", "model.layers.0.mlp.up_proj.weight"


def model(name: str, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(NAMES.index(name))
    shapes = {EMBEDDING: (ROWS[name], 3), LAYER: (4, 3), HEAD: (ROWS[name], 3), "lm_head.bias": (ROWS[name],)}
    return {key: torch.randn(shape, generator=generator).to(dtype) for key, shape in shapes.items()}


def row(name: str, token: str, tensor: str = EMBEDDING) -> Tensor:
    return model(name)[tensor][VOCABULARIES[name][token]]


def mean(token: str, *names: str) -> Tensor:
    return torch.stack([row(name, token).double() for name in names]).mean(0).float()


ZERO = torch.zeros(3)
CASES: dict[str, tuple[dict[str, Any], list[Tensor]]] = {
    "its own rows; else the only one's; else the mean": (
        {"index": 0},
        [
            *(row("base", "a"), row("base", "b"), ZERO, row("base", "c"), row("base", "d")),
            *(mean("x", "one", "two"), mean("y", "one", "two"), row("two", "z")),
        ],
    ),
    "the base's before a mean": (
        {"index": 1, "based": True},
        [
            *(row("one", "a"), row("one", "b"), ZERO, row("base", "c"), row("base", "d")),
            *(row("one", "x"), row("one", "y"), row("two", "z")),
        ],
    ),
    "without a base the mean": (
        {"index": 1},
        [
            *(row("one", "a"), row("one", "b"), ZERO, mean("c", "base", "two"), row("base", "d")),
            *(row("one", "x"), row("one", "y"), row("two", "z")),
        ],
    ),
    "the vocabulary of one": (
        {"index": 0, "target": 2},
        [mean("y", "one", "two"), row("base", "c"), mean("x", "one", "two"), row("two", "z"), row("base", "a")],
    ),
    "tokens that go their own way": (
        {
            "index": 2,
            "target": 1,
            "tokens": {
                "new": {"input": 0, "token": "d"},
                "b": {"input": 1},
                "a": {"input": 0, "id": 5},
                "x": {"force": True},
            },
        },
        [row("one", "b"), row("two", "a"), ZERO, row("two", "y"), row("base", "d")],
    ),
    "rows that only fill up": (
        {"index": 1, "target": 1, "multiple_of": 3},
        [*(found := [row("one", token) for token in "baxy"]), *[torch.stack(found).double().mean(0).float()] * 2],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_where_rows_come_from(case: str) -> None:
    settings, expected = CASES[case]
    aligned = align_vocabulary(
        [model(name) for name in NAMES], vocabularies=VOCABULARIES.__getitem__, **ALL, **settings
    )
    torch.testing.assert_close(aligned[EMBEDDING], torch.stack(expected), rtol=0, atol=0)
    assert [len(aligned[name]) for name in (HEAD, "lm_head.bias")] == [len(expected)] * 2
    assert torch.equal(aligned[LAYER], model(NAMES[settings["index"]])[LAYER])


def leaf(name: str) -> Leaf:
    return Leaf(model_id=name, digest=digest_tensors(model(name)))


def test_aligned_models_are_merged_the_same_in_memory_and_streamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "LARGE", 1)
    leaves = [leaf(name) for name in NAMES]
    aligned = [node("align_vocabulary", list(leaves), of=NAMES, index=index, multiple_of=4) for index in range(3)]
    recipe = node("linear", [node("cast", [one], dtype="bfloat16") for one in aligned], weights=[1.0, 2.0, 3.0])

    def load(one: Leaf) -> Mapping[str, Tensor]:
        return model(one.model_id)

    made = materialise(recipe, load, vocabularies=VOCABULARIES.__getitem__)
    target = tmp_path / "model.safetensors"
    found = stream(recipe, load, target, vocabularies=VOCABULARIES.__getitem__)
    assert found.digest == digest_tensors(made)
    assert {name: tuple(tensor.shape) for name, tensor in load_tensors(target).items()} == {
        EMBEDDING: (8, 3),
        LAYER: (4, 3),
        HEAD: (8, 3),
        "lm_head.bias": (8,),
    }
    with pytest.raises(BadParameter, match="nothing here can read them"):
        materialise(recipe, load)


def test_types_that_differ_are_rounded_once() -> None:
    models = [model("base", torch.bfloat16), model("one"), model("two")]
    aligned = align_vocabulary(models, vocabularies=VOCABULARIES.__getitem__, **ALL)
    assert {tensor.dtype for tensor in aligned.values()} == {torch.bfloat16}
    torch.testing.assert_close(aligned[EMBEDDING][5], mean("x", "one", "two").bfloat16(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"index": 3}, "index 3 of 3 models"),
        ({"target": 3}, "index 3 of 3 models"),
        ({"of": ["base"]}, "1 vocabularies given for 3"),
        ({"of": ["base", "one", "other"]}, "'other'|other"),
        ({"tokens": {"new": {"input": 7}}}, "input 7 of 3"),
        ({"tokens": {"new": {"input": 1}}}, "has no token 'new'"),
        ({"tokens": {"new": {"input": 1, "id": 5}}}, "has no row 5"),
        ({"tokens": {"new": {"id": 5}}}, "no input and neither"),
        ({"tokens": {"new": {"inputs": 5}}}, "Extra inputs"),
    ],
)
def test_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadParameter, match=message):
        align_vocabulary([model(name) for name in NAMES], vocabularies=VOCABULARIES.__getitem__, **(ALL | settings))


def test_widths_must_agree() -> None:
    with pytest.raises(ShapesDiffer, match="embed_tokens"):
        align_vocabulary(
            [model("base"), model("one") | {EMBEDDING: torch.zeros(5, 4)}],
            vocabularies=VOCABULARIES.__getitem__,
            of=NAMES[:2],
        )
