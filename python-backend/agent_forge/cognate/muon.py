"""Muon, with the matrix products in a type that the hardware multiplies."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_LEAST_NORM = 1e-7


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised by Newton–Schulz (Jordan 2024, kellerjordan.github.io/posts/muon), Nesterov, with
    decoupled weight decay: the update and state of `torch.optim.Muon`.

    That one always iterates in bfloat16, one matrix at a time: on a CPU without bf16 instructions a step of a small
    model takes fifteen times as long. Here the iteration runs in `dtype`, matrices of one shape together.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        weight_decay: float,
        dtype: torch.dtype = torch.float32,
        momentum: float = 0.95,
    ) -> None:
        """params: matrices. Raises ValueError for another dimension."""
        matrices = list(params)
        if any(matrix.ndim != 2 for matrix in matrices):
            raise ValueError("Muon trains matrices alone")
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        self._dtype = dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes[parameter.shape].append(parameter)
            for (rows, columns), parameters in shapes.items():
                updates = orthogonalised(
                    torch.stack([self._nesterov(parameter, group["momentum"]) for parameter in parameters]),
                    self._dtype,
                )
                rate = group["lr"] * math.sqrt(max(1, rows / columns))
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)

    def _nesterov(self, parameter: Tensor, momentum: float) -> Tensor:
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None  # noqa: S101 - the caller has looked
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        average: Tensor = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(average, momentum)


def orthogonalised(matrices: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """About UVᵀ of each matrix USVᵀ: five quintic Newton–Schulz steps bring singular values to 0.7 … 1.2.

    matrices: [count, rows, columns]; returns the same shape, of `dtype`.
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.to(dtype)
    x = x.transpose(1, 2) if tall else x
    # the Frobenius norm bounds the spectral one
    x = x / x.flatten(1).norm(dim=1).clamp(min=_LEAST_NORM)[:, None, None]
    for _ in range(_ITERATIONS):
        gram = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.transpose(1, 2) if tall else x
