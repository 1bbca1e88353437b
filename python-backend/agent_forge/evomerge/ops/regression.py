"""The matrix whose products are nearest, in squares, to those of several matrices with inputs of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ..errors import BadParameter, NonFinite
from .chunks import converted, promoted
from .registry import Models, StateDict, Tensors, mean_of

Shrinkage = Annotated[
    float, Field(ge=0, le=1, description="share of the Gram matrices' off-diagonal entries that is kept")
]
Datasets = Annotated[
    list[list[str]],
    Field(description="for each input the data sets whose problems it reads; nothing: those of the calibration"),
]

_RIDGE = 1e-6
"""Of ΣGᵢ's mean diagonal: added to its diagonal, which pulls towards the mean what no input tells."""


def check_datasets(datasets: Sequence[Sequence[str]], models: Models) -> None:
    """Raises `BadParameter`."""
    if datasets and (len(datasets) != len(models) or not all(datasets)):
        raise BadParameter(f"datasets: one list of names for each of {len(models)} inputs, or none at all")


def means_of(models: Models) -> StateDict:
    return {
        name: first if first.numel() == 0 else _named(name, mean_of([model[name] for model in models]))
        for name, first in models[0].items()
    }


def regressed(name: str, matrices: Tensors, grams: Tensors, shrinkage: float) -> Tensor:
    """W̄ + (Σ (Wᵢ − W̄)Gᵢ)(ΣGᵢ + ridge)⁻¹, which is (Σ WᵢGᵢ)(ΣGᵢ)⁻¹ but for the ridge: equal matrices stay as they are.

    By Cholesky decomposition, in float64 on one thread. The plain mean where no input reads anything.
    """
    with one_thread():
        wide = [matrix.double() for matrix in matrices]
        mean = torch.stack(wide).sum(0) / len(wide)
        total, away = torch.zeros_like(grams[0]), torch.zeros_like(mean)
        for matrix, gram in zip(wide, grams, strict=True):
            shrunk = gram * shrinkage
            shrunk.diagonal().copy_(gram.diagonal())
            total += shrunk
            away.addmm_(matrix - mean, shrunk)
        size = float(total.diagonal().mean())
        if size > 0:
            total.diagonal().add_(_RIDGE * size)
            mean += torch.cholesky_solve(away.T, torch.linalg.cholesky(total)).T
    return _named(name, converted(mean, promoted(matrices)))


@contextmanager
def one_thread() -> Iterator[None]:
    """The number of threads would show in the bytes. Of the calling thread alone: others keep theirs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _named(name: str, tensor: Tensor) -> Tensor:
    if not bool(tensor.isfinite().all()):
        raise NonFinite(f"`{name}`: the result overflows")
    return tensor
