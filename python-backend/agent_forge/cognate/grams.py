"""What a model's matrices read: the Gram matrix of each one's inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..contract.architecture import TinyTitan
from .batch import Batch, Encoded, collate
from .model import TinyTitanModel

_GATE = "memory_gate.weight"
_LEFT_OUT = ("embedding.weight", "act_halting.weight")


def grams(arch: TinyTitan, tensors: Mapping[str, Tensor], problems: Sequence[Encoded], pad: int) -> dict[str, Tensor]:
    """Σ xᵀx over the inputs x of each matrix, by its name, float64 (in, in); zeros where it reads nothing.

    Padding is left out, and tokens that have halted, but for the keys and values that others read of them: with these
    queries share one matrix, and so one Gram. The memory gate counts where a problem is longer than the window, over
    all blocks. The halting head has none: it is one row, and reads halted tokens with the rest.
    """
    # copies: blocks of a stack may be one tensor, and inputs are told apart by where their matrix lies
    own = {name: tensor.detach().to("cpu", torch.float32, copy=True) for name, tensor in tensors.items()}
    model = TinyTitanModel(arch, gather_below=1.0).bind(own).requires_grad_(False)
    reading = _Reading(own, arch)
    with torch.inference_mode(), reading:
        for problem in problems:
            reading.batch = collate([problem], pad)
            model(reading.batch.tokens, reading.batch.layout, reading.batch.labels)
    return reading.found


class _Reading(TorchFunctionMode):
    """Sees the inputs of every matrix: modules multiply by whole ones, attention by parts too."""

    batch: Batch
    """What the model reads now."""

    def __init__(self, tensors: Mapping[str, Tensor], arch: TinyTitan) -> None:
        super().__init__()
        self._window = arch.window
        matrices = {name: tensor for name, tensor in tensors.items() if tensor.dim() == 2 and name not in _LEFT_OUT}
        self.found = {
            name: torch.zeros(tensor.shape[1], tensor.shape[1], dtype=torch.float64)
            for name, tensor in matrices.items()
        }
        self._names = {_place(tensor): name for name, tensor in matrices.items()}
        self._names |= {
            _place(tensor[arch.d_model :]): name for name, tensor in matrices.items() if name.endswith("in_proj.weight")
        }
        """With keys and values alone; queries alone are not in it."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is F.linear:
            inputs, weight = args[:2]
            name = self._names.get(_place(weight))
            if name is not None:
                self._add(name, inputs)
        return func(*args, **(kwargs or {}))

    def _add(self, name: str, inputs: Tensor) -> None:
        layout = self.batch.layout
        if name == _GATE and all(length <= self._window for _, length in layout.groups):
            return
        if name.endswith("in_proj.weight"):
            inputs = inputs[layout.real]
        wide = inputs.double()
        self.found[name].addmm_(wide.T, wide)


def _place(tensor: Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), tensor.shape[0]
