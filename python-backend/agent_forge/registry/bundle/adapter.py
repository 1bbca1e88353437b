"""LoRA adapters as peft writes them: what `adapter_config.json` says, as the settings of the op that applies one.

Format: https://huggingface.co/docs/peft/developer_guides/checkpoint
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ModelFileError
from ..header import TensorSpec, read_header
from . import strict_json
from .documents import ADAPTER, ADAPTER_CONFIG

_PREFIX = "base_model.model."
_PLAIN = re.compile(r"[A-Za-z0-9_.]{1,200}")
_OTHERS = {
    "use_dora": "DoRA",
    "use_qalora": "QALoRA",
    "lora_bias": "biases of LoRA matrices",
    "layer_replication": "replicated layers",
    "target_parameters": "adapters of parameters that are no modules",
    "trainable_token_indices": "single trained tokens",
    "alora_invocation_tokens": "activated LoRA",
    "arrow_config": "Arrow",
    "megatron_config": "Megatron",
    "use_bdlora": "block-diagonal LoRA",
}
_SHIFTED = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Ways to begin that change the base's weights: what was trained is about others than the base has."""
_KEYS = re.compile(r"(.+)\.(lora_(?:embedding_)?[AB])(?:\.weight)?")


def adapter_settings(folder: Path) -> dict[str, Any]:
    """As `lora_settings`, of a folder. Raises ModelFileError, MalformedFileError, OSError."""
    config = strict_json.parse(ADAPTER_CONFIG, (folder / ADAPTER_CONFIG).read_bytes())
    return lora_settings(config, read_header(folder / ADAPTER).tensors)


def lora_settings(config: Mapping[str, Any], specs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    """Parameters of the op `lora`. specs: of the adapter's tensors.

    Raises ModelFileError, which names what is no plain LoRA.
    """
    kind = config.get("peft_type")
    if kind != "LORA":
        raise ModelFileError(f"{ADAPTER_CONFIG} is of the type {kind!r}: only LORA is merged onto a base")
    for key, name in _OTHERS.items():
        if config.get(key):
            raise ModelFileError(f"{ADAPTER_CONFIG} has {key}: {name} is not merged onto a base, plain LoRA is")
    begun = config.get("init_lora_weights")
    if isinstance(begun, str) and begun.lower().startswith(_SHIFTED):
        raise ModelFileError(
            f"{ADAPTER_CONFIG} has init_lora_weights {begun!r}, which changes the base: write it again with "
            "`save_pretrained(…, path_initial_model_for_weight_conversion=…)`"
        )
    rank: Any = config.get("r")
    alpha: Any = config.get("lora_alpha")
    if type(rank) is not int or rank < 1 or type(alpha) not in (int, float):
        raise ModelFileError(
            f"{ADAPTER_CONFIG} has r {rank!r} and lora_alpha {alpha!r}: both must be numbers, r from 1"
        )
    ranks, alphas = (_by_module(config, key) for key in ("rank_pattern", "alpha_pattern"))
    _check_tensors(specs, rank, ranks)
    return {
        "alpha": float(alpha),
        "alpha_by_module": {module: float(value) for module, value in alphas.items()},
        "rank_stabilized": config.get("use_rslora") is True,
        "fan_in_fan_out": config.get("fan_in_fan_out") is True,
    }


def _by_module(config: Mapping[str, Any], key: str) -> dict[str, float]:
    found = config.get(key) or {}
    if not isinstance(found, Mapping):
        raise ModelFileError(f"{ADAPTER_CONFIG}: {key} is no object")
    for module, value in found.items():
        if not _PLAIN.fullmatch(module):
            raise ModelFileError(
                f"{ADAPTER_CONFIG}: {key} has {module[:80]!r}: patterns must be ends of modules' names"
            )
        if type(value) not in (int, float):
            raise ModelFileError(f"{ADAPTER_CONFIG}: {key} of {module} is {value!r}, no number")
    return dict(found)


def _check_tensors(specs: Mapping[str, TensorSpec], rank: int, ranks: Mapping[str, float]) -> None:
    halves: dict[str, set[str]] = {}
    for name, spec in specs.items():
        if not name.startswith(_PREFIX):
            raise ModelFileError(f"{ADAPTER} has `{name}`, whose name does not begin with {_PREFIX}")
        if spec.dtype not in ("F16", "BF16", "F32", "F64"):
            raise ModelFileError(f"{ADAPTER}: `{name}` is {spec.dtype}: quantised adapters are not merged")
        found = _KEYS.fullmatch(name)
        if found is None:
            if "lora_" in name:
                raise ModelFileError(f"{ADAPTER} has `{name}`: of plain LoRA there are lora_A and lora_B")
            continue
        module, half = found[1].removeprefix(_PREFIX), found[2]
        wanted = next((value for end, value in ranks.items() if ends_with(module, end)), rank)
        side = 0 if half.endswith("A") else 1
        if len(spec.shape) != 2 or spec.shape[side] != wanted:
            raise ModelFileError(f"{ADAPTER}: `{name}` is {spec.shape}, {ADAPTER_CONFIG} gives it the rank {wanted}")
        halves.setdefault(found[1], set()).add(half)
    for module, found_halves in halves.items():
        if len(found_halves) != 2:
            raise ModelFileError(f"{ADAPTER} has {', '.join(found_halves)} alone of `{module}`")


def ends_with(module: str, end: str) -> bool:
    """As peft matches what stands in `rank_pattern` and `alpha_pattern`."""
    return module == end or module.endswith(f".{end}")
