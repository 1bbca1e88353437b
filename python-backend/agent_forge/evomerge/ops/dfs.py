from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ..refusal import BadParameter
from .chunks import in_rows, made
from .compiled import Array, Floats, kernel, many
from .fisher import Calibration
from .linear import shares
from .registry import Tensors, Weights, merge_op


@merge_op(source="rows weighted by the diagonal Fisher of Matena & Raffel 2022, arXiv:2111.09832")
def dfs(
    models: Tensors,
    fisher: Tensors,
    *,
    weights: Weights = (),
    temperature: Annotated[
        float, Field(ge=0.01, le=100, description="below 1 sharpens towards the most informed input, above 1 evens out")
    ] = 1.0,
    calibration: Calibration = {},  # noqa: B006 - a default of the schema, never changed
) -> Tensor:
    """Deep feature selection: each output row is a mean of the inputs' rows, weighted by wᵢ·(row's mean diagonal
    Fisher)^(1/temperature).

    A vector's entries are rows of their own. Measures the inputs, so its bytes are those of the machine type and torch
    version that measured.

    Edges: where every Fisher of a row is 0, or only inputs of weight 0 have any, the weights alone count. Weights that
    sum to 0 and negative ones are refused.
    """
    if min(weights) < 0:
        raise BadParameter("weights: dfs takes none below 0")
    rows = [model.reshape(model.shape[0] if model.dim() else 1, -1) for model in models]
    means = np.stack(
        [
            np.add.reduce(diagonal.reshape(rows[0].shape).to(torch.float64).numpy(), axis=1) / rows[0].shape[1]
            for diagonal in fisher
        ]
    )
    largest = means.max(axis=0)
    relative = np.divide(means, largest, out=np.ones_like(means), where=largest > 0)
    # float32: the last digit of `power` differs between machines and must not show
    informed = np.power(relative, 1 / temperature).astype(np.float32).astype(np.float64)
    informed *= np.array(shares(weights))[:, None]
    total = informed.sum(axis=0)
    # a row that only inputs of weight 0 know about
    share = np.where(total > 0, informed / np.where(total > 0, total, 1), np.array(shares(weights))[:, None])
    arrays = many(models)
    columns = rows[0].shape[1]
    return made(models[0], lambda out, start, stop: _by_row(out, arrays, share, columns, start, stop), in_rows(columns))


@kernel
def _by_row(out: Array, models: tuple[Array, ...], shares: Floats, columns: int, start: int, stop: int) -> None:
    """shares: (inputs, rows). start and stop are where rows begin."""
    sums = np.empty(columns)
    for at in range(start, stop, columns):
        sums[:] = 0.0
        for index in range(len(shares)):
            _add(sums, models[index][at : at + columns], shares[index, at // columns])
        out[at : at + columns] = sums


@kernel
def _add(sums: Floats, model: Array, share: float) -> None:
    for i in range(len(sums)):
        sums[i] = sums[i] + np.float64(model[i]) * share
