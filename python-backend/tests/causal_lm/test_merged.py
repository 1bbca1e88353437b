"""What each merge op makes of causal language models, opened by transformers itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import causal_lms
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from agent_forge.causal_lm.evaluation import CausalEvaluator, Measured
from agent_forge.contract.evomerge import CausalLMSettings
from agent_forge.contract.recipe import Leaf
from agent_forge.evomerge.ops.registry import merge_ops
from agent_forge.evomerge.recipe.materialise import materialise
from agent_forge.evomerge.recipe.tree import node
from agent_forge.registry.tensors import digest_tensors

OF_OTHERS = {"align", "align_vocabulary", "lora"}
"""Of TinyTitans alone; of two vocabularies and of adapters, which tests of those open."""


@pytest.mark.parametrize("family", list(causal_lms.FAMILIES))
def test_transformers_opens_what_every_op_makes(family: str, folder: Path, tmp_path: Path) -> None:
    base, other, third = (causal_lms.tensors(causal_lms.network(family, seed)) for seed in (0, 1, 2))
    tuned = [{name: tensor + 0.05 * (one[name] - tensor) for name, tensor in base.items()} for one in (other, third)]
    models = {digest_tensors(one): one for one in (base, *tuned)}
    about, *parents = (Leaf(model_id=digest[:8], digest=digest) for digest in models)
    measuring = CausalEvaluator(
        causal_lms.architecture(family), folder, Measured(("parity",), 1, 2, 2, CausalLMSettings())
    )

    def load(leaf: Leaf) -> Mapping[str, Tensor]:
        return models[leaf.digest]

    (tmp_path / "config.json").write_text(json.dumps(causal_lms.config(family)))
    for name in sorted(merge_ops().keys() - OF_OTHERS):
        op = merge_ops()[name]
        calibration = measuring.calibration | {"problems": 2}
        recipe = node(name, parents[: op.inputs.most], about, seed=1, calibration=calibration)
        merged = materialise(recipe, load, measuring)
        assert merged.keys() == base.keys()
        save_file(merged, tmp_path / "model.safetensors", {"format": "pt"})
        opened, said = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
        assert not any(said.values()), (name, said)
        assert torch.isfinite(opened(input_ids=torch.tensor([[1, 5, 9]])).logits).all(), name
