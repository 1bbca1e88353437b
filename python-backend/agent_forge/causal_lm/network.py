"""A causal language model's network, by transformers, over tensors that are there already."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..contract.architecture import CausalLM
from ..registry.families.layout import layout_of
from .errors import NotRunnable

_CODE = ("auto_map", "custom_pipelines")
"""Keys of a config that name code to fetch."""
_ATTENTION = "sdpa"


@dataclass(frozen=True)
class Network:
    """What answers. Its parameters are the tensors that it was opened with, or casts of them."""

    module: Any
    """A `PreTrainedModel` that reads, without gradients unless asked for."""
    names: Mapping[str, str]
    """Parameter of the module → name of the tensor that it is."""
    accepts: frozenset[str]
    """Names of its forward's parameters."""


def open_network(
    architecture: CausalLM, tensors: Mapping[str, Tensor], dtype: torch.dtype, device: torch.device | str = "cpu"
) -> Network:
    """The network of these tensors, which are assigned, not copied, where they are of that type and device.

    No code but transformers' own runs: what a config names as code is refused, as are quantised weights and families
    that transformers does not have. Raises NotRunnable, which names the keys or tensors.
    """
    from transformers import AutoModelForCausalLM

    config = config_of(architecture)
    learnt = layout_of(tensors, architecture.model_type).without_buffers(tensors)
    floats = {name: tensors[name] for name in learnt if tensors[name].is_floating_point()}
    own = {name: tensor.detach().to(device, dtype) for name, tensor in floats.items()}
    try:
        kind: Any = AutoModelForCausalLM._model_mapping[type(config)]
    except KeyError as error:
        message = f"transformers has no causal language model of the type {architecture.model_type}"
        raise NotRunnable(message) from error
    with _quiet():
        module, found = kind.from_pretrained(
            None,
            config=config,
            state_dict=dict(own),
            dtype=dtype,
            attn_implementation=_ATTENTION if kind._supports_sdpa else "eager",
            output_loading_info=True,
            # said below, with what is missing
            ignore_mismatched_sizes=True,
        )
    missing, different = sorted(found["missing_keys"]), sorted(str(one[0]) for one in found["mismatched_keys"])
    unexpected = sorted(found["unexpected_keys"])
    if missing or different or unexpected:
        said = [
            f"{what} {', '.join(names[:3])}{' …' if len(names) > 3 else ''}"
            for what, names in (
                ("lack", missing),
                ("have other shapes in", different),
                ("have no place for", unexpected),
            )
            if names
        ]
        raise NotRunnable(f"the tensors do not fit a {architecture.model_type} of this config: they {'; '.join(said)}")
    module.to(device).eval().requires_grad_(False)
    return Network(module, _names(module, own), frozenset(inspect.signature(module.forward).parameters))


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"


def config_of(architecture: CausalLM) -> Any:
    """A transformers config from the contents of `config.json`. Raises NotRunnable."""
    from transformers import CONFIG_MAPPING

    given = dict(architecture.config)
    for key in _CODE:
        if given.get(key):
            raise NotRunnable(
                f"config.json names code by `{key}`, which is not run: use a family that transformers has"
            )
    if given.get("quantization_config"):
        raise NotRunnable("config.json says that weights are quantised: use the model that they were made from")
    if architecture.model_type not in CONFIG_MAPPING:
        raise NotRunnable(f"transformers has no model of the type {architecture.model_type}")
    # how it computes is ours to say, and a config could name a kernel to fetch
    for key in ("attn_implementation", "_attn_implementation", "experts_implementation", "use_kernels"):
        given.pop(key, None)
    try:
        with _quiet():
            return CONFIG_MAPPING[architecture.model_type].from_dict(given)
    except Exception as error:  # classes of many families, and of the library that checks their fields
        said = " ".join(str(error).split())
        raise NotRunnable(f"config.json is no config of a {architecture.model_type}: {said}") from error


def _names(module: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Told by where they lie. Of families whose tensors transformers joins, these are not among them."""
    places = {tensor.data_ptr(): name for name, tensor in tensors.items() if tensor.numel()}
    return {
        name: places[parameter.data_ptr()]
        for name, parameter in module.named_parameters()
        if parameter.data_ptr() in places
    }


class _quiet:  # noqa: N801 - a context manager, read as a word
    """Without progress bars and advice: a log line for each of four hundred candidates says nothing."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._level = logging.get_verbosity()
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self._level)
