"""What `null` means in a configuration: each preset's own choice. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..contract.architecture import ARCHITECTURES, Preset, TinyTitan
from ..contract.cognate import CognateConfig, Specialization
from .datasets.registry import check_datasets, check_tokenizer
from .errors import InvalidSetting
from .tokenizer import load_tokenizer


@dataclass(frozen=True)
class PresetDefaults:
    foundation_steps: int
    train_steps: int
    batch_tokens: int
    eval_interval: int
    max_length: int
    """Longest problem in tokens; longer ones are cut, see `batch.encode`."""
    selection_problems: int
    """Problems per dataset that a candidate of breeding answers."""
    fisher_problems: int
    """Problems per dataset that a diagonal Fisher is measured on, one backward pass each: at 58 M about half a second,
    for every candidate that is weighed by it."""


DEFAULTS: dict[Preset, PresetDefaults] = {
    Preset.nano: PresetDefaults(
        foundation_steps=110,
        train_steps=300,
        batch_tokens=1024,
        eval_interval=75,
        max_length=256,
        selection_problems=64,
        fisher_problems=4,
    ),
    Preset.tinytitan: PresetDefaults(
        foundation_steps=115,
        # Of two seeds tried, one learned `recall` in 110 steps, the other had begun to after 330.
        train_steps=400,
        batch_tokens=1024,
        eval_interval=80,
        max_length=512,
        selection_problems=64,
        fisher_problems=1,
    ),
    Preset.wide: PresetDefaults(
        foundation_steps=115,
        train_steps=400,
        batch_tokens=1024,
        eval_interval=80,
        max_length=512,
        selection_problems=32,
        fisher_problems=1,
    ),
}


_SEEDS = [42, 1337, 2023, 7, 11, 13, 17, 19]
"""Of the first specialization, the second, …: as many as there may be."""

_PONDER_COSTS = {
    Specialization.reasoning: 0.003,
    Specialization.memory_integration: 0.003,
    # From about 3.4 of nano's 4 blocks to 2.3, at the same accuracy.
    Specialization.adaptive_computation: 0.05,
}


def resolve(config: CognateConfig) -> CognateConfig:
    """The same configuration with every null that the preset decides filled in. Raises InvalidSetting."""
    wanted = len(config.specializations)
    for name, given in (("seeds", config.seeds), ("ponder_costs", config.ponder_costs)):
        if given is not None and len(given) != wanted:
            raise InvalidSetting(
                name,
                given,
                f"has {len(given)} entries for {wanted} specializations",
                f"exactly {wanted}, one for each specialization",
            )
    defaults = DEFAULTS[config.preset]
    foundation_steps = defaults.foundation_steps if config.foundation_steps is None else config.foundation_steps
    if config.initialization == "independent":
        foundation_steps = 0
    return config.model_copy(
        update={
            "foundation_steps": foundation_steps,
            "train_steps": defaults.train_steps if config.train_steps is None else config.train_steps,
            "seeds": config.seeds or _SEEDS[:wanted],
            "ponder_costs": config.ponder_costs or [_PONDER_COSTS[one] for one in config.specializations],
            "batch_tokens": config.batch_tokens or defaults.batch_tokens,
            "window": config.window or ARCHITECTURES[config.preset].window,
            "eval_interval": config.eval_interval or defaults.eval_interval,
        }
    )


def check(config: CognateConfig, roots: Sequence[Path]) -> CognateConfig:
    """`resolve`, and every named file is there, allowed and of use. Raises InvalidSetting."""
    resolved = resolve(config)
    check_datasets(config.datasets, roots)
    arch = architecture(resolved)
    if config.tokenizer != "bytes":
        tokenizer = load_tokenizer(config.tokenizer, arch.vocab_size, roots)
        check_tokenizer(tokenizer, [choice.name for choice in config.datasets], config.difficulty, arch.window)
    return resolved


def architecture(config: CognateConfig) -> TinyTitan:
    """The preset's architecture with the configuration's own window."""
    arch = ARCHITECTURES[config.preset]
    return arch if config.window is None else arch.model_copy(update={"window": config.window})


def filled(value: int | None) -> int:
    """A value of a resolved configuration. Raises ValueError where it was not resolved."""
    if value is None:
        raise ValueError("the configuration is not resolved")
    return value


def total_steps(config: CognateConfig) -> int:
    """Of a resolved configuration: the foundation's and all specialists'."""
    return (config.foundation_steps or 0) + len(config.specializations) * (config.train_steps or 0)
