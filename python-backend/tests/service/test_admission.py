from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from agent_forge.contract.architecture import ARCHITECTURES, CausalLM, Preset
from agent_forge.contract.base import now
from agent_forge.contract.cognate import CognateConfig, DatasetChoice, Specialization
from agent_forge.contract.evomerge import EvoMergeConfig, EvoMergeSettings
from agent_forge.contract.model import Model, ModelKind
from agent_forge.contract.recipe import TrainingOrigin
from agent_forge.evomerge.merge_methods import merge_methods
from agent_forge.service.admission import admit_cognate, admit_problems, admit_settings
from agent_forge.store.errors import Refusal
from agent_forge.worker.defaults import settled


@pytest.mark.parametrize(
    ("preset", "given", "expected"),
    [
        (Preset.nano, None, 64),
        (Preset.tinytitan, None, 64),
        (Preset.wide, None, 32),
        (Preset.tinytitan, 100, 100),
    ],
)
def test_null_means_what_the_preset_says(preset: Preset, given: int | None, expected: int) -> None:
    settings = EvoMergeSettings(eval_problems=given)
    shape = ARCHITECTURES[preset]
    meant = {"eval_problems": expected, "polish_steps": 80}
    assert settled(settings, shape) == settings.model_copy(update=meant)
    config = EvoMergeConfig(parents=["a", "b"], eval_problems=given, polish_steps=7)
    assert settled(config, shape).parents == ["a", "b"]
    assert settled(config, shape).polish_steps == 7


def test_null_means_less_of_causal_language_models() -> None:
    shape = CausalLM(model_type="llama", config={}, layers=1, vocab_size=8, tied=False, dtype="F32")
    found = settled(EvoMergeSettings(), shape)
    assert (found.eval_problems, found.polish_steps) == (32, 0)


def trained(**config: Any) -> Model:
    arch = ARCHITECTURES[Preset.nano]
    origin = TrainingOrigin(
        run_id="r", stage="reasoning", seed=1, steps=1, architecture=arch, config=config, initial=None
    )
    return Model(
        id="mdl_1",
        name="one",
        kind=ModelKind.specialist,
        run_id="r",
        specialization=None,
        architecture=arch,
        parameters=1,
        bytes=4,
        digest="0" * 64,
        origin=origin,
        parents=[],
        files=[],
        metrics={},
        versions={},
        created_at=now(),
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"datasets": [{"name": "file:gone.jsonl"}]}, "was trained with datasets.0.name file:gone.jsonl, which is not"),
        ({"tokenizer": "file:gone.json"}, "was trained with tokenizer file:gone.json, which is not there"),
    ],
)
def test_what_parents_were_trained_with_is_opened(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    chosen = EvoMergeConfig(parents=["mdl_1", "mdl_2"])
    admit_problems([trained()], chosen, [tmp_path])
    with pytest.raises(Refusal, match=said) as caught:
        admit_problems([trained(**config)], chosen, [tmp_path])
    assert [(error.field, error.value) for error in caught.value.errors] == [("parents.0", "mdl_1")]
    if "datasets" in config:
        other = chosen.model_copy(update={"datasets": [DatasetChoice(name="parity")]})
        admit_problems([trained(**config)], other, [tmp_path])


def choices(form: type[BaseModel]) -> list[tuple[str, Any]]:
    """Each value of each field that has a closed set of them."""
    return [
        (name, value)
        for name, field in form.model_fields.items()
        for value in (
            list(field.annotation)
            if isinstance(field.annotation, type) and issubclass(field.annotation, Preset)
            else [False, True]
            if field.annotation is bool
            else get_args(field.annotation)
            if get_origin(field.annotation) is Literal
            else []
        )
        if value != "cuda"  # a matter of the machine
    ]


def test_the_choices_are_found() -> None:
    assert {"preset", "initialization", "precision"} <= {name for name, _ in choices(CognateConfig)}
    assert {"strategy", "align", "elitism"} <= {name for name, _ in choices(EvoMergeSettings)}


@pytest.mark.parametrize(("name", "value"), choices(CognateConfig))
def test_one_choice_alone_is_a_configuration(name: str, value: Any) -> None:
    admit_cognate(CognateConfig.model_validate({name: value}), [], ["cpu"])


@pytest.mark.parametrize(
    "chosen", [list(some) for count in (1, 2, 3) for some in combinations(Specialization, count)], ids=str
)
def test_any_specializations_alone_are_a_configuration(chosen: list[Specialization]) -> None:
    resolved = admit_cognate(CognateConfig(specializations=chosen), [], ["cpu"])
    assert len(resolved.seeds or []) == len(resolved.ponder_costs or []) == len(chosen)


@pytest.mark.parametrize(("name", "value"), choices(EvoMergeSettings))
@pytest.mark.parametrize("parents", [2, 3, 16])
def test_one_choice_of_breeding_alone_is_a_configuration(parents: int, name: str, value: Any) -> None:
    admit_settings(EvoMergeSettings.model_validate({name: value}), parents, [], ["cpu"])


@pytest.mark.parametrize("op", [method.name for method in merge_methods()])
def test_one_op_alone_is_a_tournament(op: str) -> None:
    admit_settings(EvoMergeSettings(ops=[op]), 3, [], ["cpu"])
