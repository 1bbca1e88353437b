from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from evomerge.tiny import TinyEvaluator, drawn, family_of_four
from torch import Tensor

from agent_forge.contract.recipe import Leaf, MergeNode, Recipe
from agent_forge.evomerge.errors import BadParameter, ShapesDiffer, UnknownOp, WrongInputs
from agent_forge.evomerge.export import exported
from agent_forge.evomerge.merge_methods import merge_methods
from agent_forge.evomerge.ops.registry import merge_op_named
from agent_forge.evomerge.recipe.materialise import Recall, materialise
from agent_forge.evomerge.recipe.tree import recipe_digest
from agent_forge.evomerge.streaming import stream
from agent_forge.registry.tensors import digest_tensors

MODELS = dict(zip(("base", "a", "b", "c"), (drawn(seed) for seed in range(4)), strict=True))
LEAVES = {name: Leaf(model_id=name, digest=digest_tensors(tensors)) for name, tensors in MODELS.items()}
PARENTS: list[Recipe] = [LEAVES[name] for name in "abc"]

MEAN = MergeNode(op="linear", inputs=PARENTS, parameters={"weights": [1, 2, 3]})
DEEP = MergeNode(
    op="mutate",
    seed=7,
    inputs=[
        MergeNode(
            op="frankenmerge",
            inputs=[
                MergeNode(
                    op="dare_ties",
                    seed=3,
                    inputs=[*PARENTS, MergeNode(op="slerp", inputs=PARENTS)],
                    base=LEAVES["base"],
                    parameters={"weights": {"early": [1, 0.5, 2, 1]}, "drop_rate": 0.3, "scale": 1.2},
                ),
                MergeNode(op="ties", inputs=[*PARENTS, MEAN], base=LEAVES["base"], parameters={"density": 0.3}),
                MEAN,
            ],
            parameters={"layer_sources": [0, 1, 2]},
        )
    ],
)


def load(leaf: Leaf) -> Mapping[str, Tensor]:
    return MODELS[leaf.model_id]


def test_merge_methods_is_what_the_signatures_say() -> None:
    for path, text in exported().items():
        assert path.read_text(encoding="utf-8") == text, "run python -m agent_forge.evomerge.export"


def test_merge_methods_loads_without_torch() -> None:
    code = (
        "import sys; from agent_forge.evomerge.merge_methods import merge_methods; "
        "import agent_forge.evomerge.search.strategies, agent_forge.evomerge.errors; "
        "print(len(merge_methods()), 'torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == [str(len(merge_methods())), "False"]


def test_digest_tells_every_field() -> None:
    digests = {
        recipe_digest(recipe)
        for recipe in (
            LEAVES["a"],
            MEAN,
            MEAN.model_copy(update={"seed": 1}),
            MEAN.model_copy(update={"base": LEAVES["base"]}),
            MEAN.model_copy(update={"parameters": {"weights": [1, 2, 4]}}),
            MEAN.model_copy(update={"inputs": PARENTS[::-1]}),
        )
    }
    assert len(digests) == 6
    assert recipe_digest(MergeNode.model_validate_json(DEEP.model_dump_json())) == recipe_digest(DEEP)


def test_a_shared_part_is_made_once() -> None:
    loaded: list[str] = []

    def counted(leaf: Leaf) -> Mapping[str, Tensor]:
        loaded.append(leaf.model_id)
        return load(leaf)

    pair = MergeNode(op="linear", inputs=[MEAN, MEAN])
    merged = materialise(pair, counted)
    assert sorted(loaded) == ["a", "b", "c"]
    assert all(torch.equal(merged[name], tensor) for name, tensor in materialise(MEAN, load).items())


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_known_of_inputs_changes_no_byte(order: int) -> None:
    """All methods over the same leaves share what they find out, with a base and without."""
    recall = Recall()
    recipes = [
        MergeNode(op=method.name, inputs=PARENTS[: method.max_inputs], base=base)
        for method in merge_methods()
        for base in (None, LEAVES["base"])
        if not (op := merge_op_named(method.name)).measures and not op.adapts and (base is None or method.uses_base)
    ]
    for recipe in recipes[::order]:
        shared, alone = materialise(recipe, load, recall=recall), materialise(recipe, load)
        assert all(torch.equal(shared[name], alone[name]) for name in alone), recipe.op
    assert len(recall.statistics) > 0


def test_what_no_result_takes_is_not_made() -> None:
    trimmed = MergeNode(op="ties", inputs=PARENTS, base=LEAVES["base"])
    recall = Recall()
    stacked = MergeNode(
        op="frankenmerge",
        inputs=[trimmed, LEAVES["a"]],
        parameters={"layer_sources": [1, 0, 1], "embedding_source": 1, "output_source": 1},
    )
    made = materialise(stacked, load, recall=recall)
    whole = materialise(trimmed, load)
    middle = {name for name in whole if name.startswith("transformer_blocks.1.")}
    assert {str(place[0]) for place in recall.statistics} == middle  # type: ignore[index]
    assert all(torch.equal(made[name], whole[name] if name in middle else MODELS["a"][name]) for name in whole)


def test_shapes_are_checked_of_what_is_not_made_too() -> None:
    odd = {name: tensor[..., :-1] if name == "output_layer.weight" else tensor for name, tensor in MODELS["b"].items()}
    recipe = MergeNode(
        op="frankenmerge",
        inputs=[LEAVES["a"], MergeNode(op="linear", inputs=[LEAVES["a"], LEAVES["b"]])],
        parameters={"layer_sources": [0, 0, 0]},
    )
    with pytest.raises(ShapesDiffer, match=r"output_layer\.weight"):
        materialise(recipe, lambda leaf: odd if leaf.model_id == "b" else load(leaf))


def test_recall_changes_no_byte() -> None:
    recall = Recall()
    alone = digest_tensors(materialise(DEEP, load))
    assert [digest_tensors(materialise(DEEP, load, recall=recall)) for _ in range(2)] == [alone, alone]
    assert recall.statistics


def test_ops_measure_what_the_recipe_names() -> None:
    _, specialists = family_of_four()
    models = dict(zip("abc", specialists, strict=True))
    leaves: list[Recipe] = [Leaf(model_id=name, digest=digest_tensors(models[name])) for name in "abc"]
    asked: list[str] = []

    class Asked(TinyEvaluator):
        def fisher(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, object]) -> dict[str, Tensor]:
            asked.append(json.dumps(calibration))
            return super().fisher(tensors, calibration)

        def grams(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, object]) -> dict[str, Tensor]:
            asked.append(json.dumps(calibration))
            return super().grams(tensors, calibration)

    node = MergeNode(op="dfs", inputs=leaves, parameters={"calibration": {"split": "all"}})
    recall = Recall()
    merged = materialise(node, lambda leaf: models[leaf.model_id], Asked(), recall)
    again = materialise(node, lambda leaf: models[leaf.model_id], Asked(), recall)
    assert asked == ['{"split": "all"}'] * 3
    assert digest_tensors(merged) == digest_tensors(again)
    own = MergeNode(
        op="regmean",
        inputs=leaves,
        parameters={"calibration": {"split": "all"}, "datasets": [["sum"], ["difference"], ["greater"]]},
    )
    asked.clear()
    regressed = materialise(own, lambda leaf: models[leaf.model_id], Asked())
    assert [json.loads(one)["datasets"] for one in asked] == [["sum"], ["difference"], ["greater"]]
    assert digest_tensors(regressed) == digest_tensors(
        materialise(own, lambda leaf: models[leaf.model_id], Asked(), recall)
    )
    for measuring in (node, own):
        with pytest.raises(WrongInputs, match="nothing here can measure"):
            materialise(measuring, lambda leaf: models[leaf.model_id])


@pytest.mark.parametrize(
    ("recipe", "error"),
    [
        (MergeNode(op="average", inputs=PARENTS), UnknownOp),
        (MergeNode(op="linear", inputs=[]), WrongInputs),
        (MergeNode(op="mutate", inputs=PARENTS), WrongInputs),
        (MergeNode(op="ties", inputs=PARENTS, parameters={"density": 1.5}), BadParameter),
    ],
)
def test_refusals(recipe: Recipe, error: type[Exception]) -> None:
    with pytest.raises(error):
        materialise(recipe, load)


def test_buffers_of_old_files_are_left_out_of_what_is_merged(tmp_path: Path) -> None:
    """As GPT-2's masks: whoever runs the model computes them."""

    def model(one: Leaf) -> dict[str, Tensor]:
        learnt = {f"h.{layer}.attn.c_attn.weight": torch.full((3, 9), len(one.model_id)) * 1.0 for layer in range(2)}
        masks = {"h.0.attn.bias": torch.ones(4, 4, dtype=torch.uint8), "h.1.attn.masked_bias": torch.tensor(-1e4)}
        return learnt | (masks if one.model_id == "old" else {})

    old, new = (Leaf(model_id=name, digest=digit * 64) for name, digit in (("old", "0"), ("newer", "1")))
    for recipe in (
        MergeNode(op="linear", inputs=[old, new]),
        MergeNode(op="frankenmerge", inputs=[old, new], parameters={"layer_sources": [1, 0]}),
    ):
        made = materialise(recipe, model)
        assert made.keys() == {"h.0.attn.c_attn.weight", "h.1.attn.c_attn.weight"}
        assert stream(recipe, model, tmp_path / "model.safetensors").digest == digest_tensors(made)
