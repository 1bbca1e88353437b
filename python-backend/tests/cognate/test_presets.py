from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split

from agent_forge.cognate.errors import InvalidSetting
from agent_forge.cognate.flops import block_flops, flops_per_token, step_flops
from agent_forge.cognate.plan import stages
from agent_forge.cognate.presets import DEFAULTS, architecture, check, filled, resolve, total_steps
from agent_forge.contract.architecture import ARCHITECTURES, Preset
from agent_forge.contract.cognate import CognateConfig, DatasetChoice, Specialization

FILLED_LISTS = ("seeds", "ponder_costs")
FILLED = ("foundation_steps", "train_steps", "batch_tokens", "window", "eval_interval")


@pytest.mark.parametrize("preset", list(Preset))
def test_every_null_is_filled_once_and_for_all(preset: Preset) -> None:
    resolved = resolve(CognateConfig(preset=preset))
    assert all(getattr(resolved, name) is not None for name in (*FILLED, *FILLED_LISTS))
    assert resolve(resolved) == resolved
    assert resolved.window == ARCHITECTURES[preset].window
    assert total_steps(resolved) == sum(stage.steps for stage in stages(resolved))
    assert CognateConfig.model_validate(resolved.model_dump(mode="json")) == resolved


def test_given_values_are_kept() -> None:
    given = dict.fromkeys(FILLED, 64)
    assert {name: getattr(resolve(CognateConfig.model_validate(given)), name) for name in FILLED} == given


def test_zero_is_a_value() -> None:
    resolved = resolve(CognateConfig(foundation_steps=0, train_steps=0))
    assert (resolved.foundation_steps, resolved.train_steps, total_steps(resolved)) == (0, 0, 0)
    assert [stage.name for stage in stages(resolved)] == [s.value for s in Specialization]


def test_independent_has_no_foundation() -> None:
    assert resolve(CognateConfig(initialization="independent", foundation_steps=9)).foundation_steps == 0


@pytest.mark.parametrize("field", ["seeds", "ponder_costs"])
def test_what_is_given_for_each_specialization_must_fit(field: str) -> None:
    with pytest.raises(InvalidSetting, match="2 entries for 3") as caught:
        resolve(CognateConfig.model_validate({field: [1, 2]}))
    assert caught.value.field == field


@pytest.mark.parametrize("count", range(1, 9))
def test_defaults_follow_the_specializations(count: int) -> None:
    chosen = [list(Specialization)[index % 3] for index in range(count)]
    resolved = resolve(CognateConfig(specializations=chosen))
    assert resolved.seeds is not None
    assert resolved.ponder_costs is not None
    assert len(resolved.seeds) == len(resolved.ponder_costs) == len(set(resolved.seeds)) == count
    # a default never changes with the number: the first three are the product's own
    assert resolved.seeds[:3] == [42, 1337, 2023][:count]
    assert len(stages(resolved)) == 1 + count


def test_the_seeds_of_a_stored_configuration_are_kept() -> None:
    old = {"specializations": ["reasoning", "memory_integration"], "seeds": [5, 6]}
    assert resolve(CognateConfig.model_validate(old)).seeds == [5, 6]


def test_the_foundation_ponders_cheapest() -> None:
    default = [stage.ponder_cost for stage in stages(resolve(CognateConfig()))]
    assert default == [0.003, 0.003, 0.003, 0.05]
    given = resolve(CognateConfig(ponder_costs=[0.2, 0.1, 0.0]))
    assert [stage.ponder_cost for stage in stages(given)] == [0.0, 0.2, 0.1, 0.0]


def test_a_specialization_named_twice_has_two_names() -> None:
    config = resolve(CognateConfig(specializations=["reasoning", "reasoning"], seeds=[1, 2]))
    assert [stage.name for stage in stages(config)] == ["foundation", "reasoning", "reasoning-2"]


def test_check_names_the_field(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting) as caught:
        check(CognateConfig(datasets=[DatasetChoice(name="file:no.jsonl")]), [tmp_path])
    assert caught.value.field == "datasets.0.name"
    with pytest.raises(InvalidSetting) as caught:
        check(CognateConfig(tokenizer="file:no.json"), [tmp_path])
    assert caught.value.field == "tokenizer"


def saved(path: Path, *tokens: str) -> None:
    words = {token: number for number, token in enumerate(["<unk>", *tokens])}
    inner = Tokenizer(WordLevel(words, unk_token="<unk>"))  # noqa: S106 - no password
    inner.pre_tokenizer = Split(Regex("."), "isolated")
    inner.save(str(path))


CHARACTERS = tuple(map(chr, range(32, 127)))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("good.json", None),
        ("words.json", "has no token for a character of the built-in problems"),
        ("large.json", "ids below 264"),
        ("config.json", "is not a tokenizer.json"),
        ("model.json", "is not a tokenizer.json"),
        ("link.json", "is not there"),
    ],
)
def test_check_opens_the_tokenizer(tmp_path: Path, name: str, said: str | None) -> None:
    root = tmp_path / "root"
    root.mkdir()
    saved(root / "good.json", *CHARACTERS)
    saved(root / "words.json", "the", "cat")
    saved(root / "large.json", *CHARACTERS, *map(str, range(100, 400)))
    (root / "config.json").write_text('{"architectures": ["GPT2"]}')
    (root / "model.json").write_bytes(bytes(range(256)))
    saved(tmp_path / "outside.json", *CHARACTERS)
    (root / "link.json").symlink_to(tmp_path / "outside.json")
    config = CognateConfig(tokenizer=f"file:{name}")
    if said is None:
        check(config, [root])
        return
    with pytest.raises(InvalidSetting, match=said) as caught:
        check(config, [root])
    assert caught.value.field == "tokenizer"


def test_the_window_can_be_overridden() -> None:
    assert architecture(resolve(CognateConfig(window=16))).window == 16


def test_unresolved_values_are_not_used() -> None:
    with pytest.raises(ValueError, match="not resolved"):
        filled(None)


def test_flops_follow_depth_and_shape() -> None:
    arch = ARCHITECTURES[Preset.tinytitan]
    full = flops_per_token(arch, 8.0)
    assert full == 8 * block_flops(arch) + 2 * 512 * 32000
    assert flops_per_token(arch, 4.0) < full
    assert step_flops(arch, 2048) == 2 * step_flops(arch, 1024)
    # 6 FLOPs per parameter and token, as a check of the order: blocks and half of the output rows.
    assert step_flops(arch, 1) == pytest.approx(6 * (25.4e6 + 8 * 512 * 512 + 8.2e6), rel=0.1)


def test_every_preset_has_defaults() -> None:
    assert set(DEFAULTS) == set(Preset)
