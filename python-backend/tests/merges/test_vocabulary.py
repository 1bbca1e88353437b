"""Whose vocabulary the result of a configuration has, and what its recipe says of that."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from agent_forge.contract.architecture import CausalLM
from agent_forge.contract.merge import MergeConfig
from agent_forge.contract.model import Model, ModelKind, Tokenizer
from agent_forge.contract.recipe import ImportOrigin, Leaf, MergeNode
from agent_forge.evomerge.recipe.tree import nodes
from agent_forge.evomerge.stack import stack_of
from agent_forge.merges.configuration import ModelReference
from agent_forge.merges.conversion import Model as Known
from agent_forge.merges.errors import RecipeRefused
from agent_forge.merges.export import exported
from agent_forge.merges.plan import planned
from agent_forge.registry.header import TensorSpec

SIZES = {"a": (6, 6), "b": (9, 8), "same": (8, 6), "bare": (6, None)}
"""Rows and tokens. The vocabulary of `same` is that of `a`."""


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def model(name: str) -> Model:
    rows, tokens = SIZES[name]
    digest = sha("a" if name == "same" else name)
    tokenizer = Tokenizer(kind="BPE", tokens=tokens, vocabulary=digest, sha256=sha(name), chat_template=False)
    config = {"model_type": "llama", "vocab_size": rows}
    return Model(
        id=name,
        name=name,
        kind=ModelKind.imported,
        run_id=None,
        specialization=None,
        architecture=CausalLM(model_type="llama", config=config, layers=1, vocab_size=rows, tied=True, dtype="F32"),
        parameters=1,
        bytes=1,
        digest=sha(name),
        origin=ImportOrigin(filename=name),
        parents=[],
        files=[],
        folder=f"imported/{name}",
        tokenizer=None if tokens is None else tokenizer,
        metrics={},
        versions={},
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


class Library:
    def find(self, model_id: str) -> Model | None:
        return model(model_id) if model_id in SIZES else None

    def named(self, reference: ModelReference) -> Model:
        found = self.find(reference.path)
        if found is None:
            raise LookupError("there is none")
        return found

    def specs(self, one: Model) -> dict[str, TensorSpec]:
        shapes = {"model.embed_tokens.weight": (SIZES[one.id][0], 4), "model.layers.0.mlp.up_proj.weight": (3, 4)}
        return {name: TensorSpec("F32", shape) for name, shape in shapes.items()}

    def known(self, one: Model) -> Known:
        return Known(Leaf(model_id=one.id, digest=one.digest), stack_of(self.specs(one)), "float32")


def asked(text: str) -> Any:
    return planned(MergeConfig(configuration=text), Library(), "made")


def aligning(text: str) -> list[dict[str, Any]]:
    plan, _ = asked(text)
    return [
        {**one.parameters, "inputs": [getattr(part, "model_id", None) for part in one.inputs]}
        for one in nodes(plan.recipe)
        if isinstance(one, MergeNode) and one.op == "align_vocabulary"
    ]


def pair(one: str, other: str, more: str, base: str | None = None) -> str:
    weights = "parameters: {weight: 1}"
    based = f"base_model: {base}\n" if base else ""
    return f"merge_method: linear\nmodels: [{{model: {one}}}, {{model: {other}}}]\n{based}{weights}\n{more}\n"


def test_a_union() -> None:
    found = aligning(pair("a", "b", "tokenizer_source: union"))
    assert [(one["index"], one["inputs"]) for one in found] == [(0, ["a", "b"]), (1, ["a", "b"])]
    assert found[0] | {"index": 1} == found[1]
    assert {key: found[0][key] for key in ("of", "target", "based", "tokens", "multiple_of")} == {
        "of": [sha("a"), sha("b")],
        "target": -1,
        "based": False,
        "tokens": {},
        "multiple_of": 1,
    }


@pytest.mark.parametrize(
    ("more", "base", "expected"),
    [
        ("tokenizer_source: base", "b", {"inputs": ["b", "a"], "target": 0, "based": True}),
        ("tokenizer_source: b", None, {"inputs": ["a", "b"], "target": 1, "based": False}),
        ("tokenizer: {pad_to_multiple_of: 64}", None, {"target": -1, "multiple_of": 64}),
        (
            "tokenizer: {source: a, tokens: {x: {source: b, force: true}, y: {source: {kind: zero}}}}",
            None,
            {"target": 0, "tokens": {"x": {"input": 1, "force": True}, "y": {}}},
        ),
        (
            "tokenizer: {source: a, tokens: {x: {source: {kind: model_token, model: b, token_id: 3}}}}",
            None,
            {"tokens": {"x": {"input": 1, "id": 3}}},
        ),
    ],
)
def test_other_sources(more: str, base: str | None, expected: dict[str, Any]) -> None:
    for one in aligning(pair("a", "b", more, base)):
        assert {key: one[key] for key in expected} == expected


def test_what_is_one_vocabulary_stays_as_it_is() -> None:
    assert aligning(pair("a", "bare", "tokenizer_source: union")) == []
    with_padding = aligning(pair("a", "same", "tokenizer_source: a"))
    assert [one["index"] for one in with_padding] == [0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (pair("a", "b", ""), r"b \(8 tokens, 9 rows\) and a \(6 tokens, 6 rows\).*`tokenizer_source` to `union`"),
        (pair("a", "b", "tokenizer_source: same"), "none of the models"),
        (pair("a", "b", "tokenizer: {tokens: {x: {source: same}}}"), "same is none of the models"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(RecipeRefused, match=message):
        asked(text)


@pytest.mark.parametrize("more", ["tokenizer_source: union", "tokenizer: {source: b, pad_to_multiple_of: 4}"])
@pytest.mark.parametrize("base", [None, "a"])
def test_the_way_back(more: str, base: str | None) -> None:
    library = Library()

    def directory(one: Leaf) -> tuple[str, Any, str]:
        return one.model_id, stack_of(library.specs(model(one.model_id))), "float32"

    recipe = asked(pair("a", "b", more, base))[0].recipe
    if base is not None:
        # linear takes a base for an input
        with pytest.raises(ValueError, match="another model than the base"):
            exported(recipe, directory)
        return
    assert asked(exported(recipe, directory))[0].recipe == recipe
