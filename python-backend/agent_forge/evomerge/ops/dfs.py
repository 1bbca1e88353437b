from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor

from ..errors import BadParameter
from .chunks import each_read, in_rows, made
from .combination import LANES, total
from .compiled import Array, Floats, Inputs, clear, filled, kernel, present_of
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
        raise BadParameter("weights: dfs takes no negative ones")
    rows = models[0].shape[0] if models[0].dim() else 1
    columns = models[0].numel() // rows
    means = np.stack([_means(diagonal, rows, columns) for diagonal in fisher])
    largest = means.max(axis=0)
    relative = np.divide(means, largest, out=np.ones_like(means), where=largest > 0)
    # float32: the last digit of `power` differs between machines and must not show
    informed = np.power(relative, 1 / temperature).astype(np.float32).astype(np.float64)
    informed *= np.array(shares(weights))[:, None]
    sums = informed.sum(axis=0)
    # a row that only inputs of weight 0 know about
    share = np.where(sums > 0, informed / np.where(sums > 0, sums, 1), np.array(shares(weights))[:, None])
    factors = np.zeros((len(present_of(models)), rows))
    factors[: len(models)] = share
    return made(
        models,
        lambda out, arrays, first: _by_row(out, filled(arrays, arrays[0]), factors, columns, first // columns),
        columns=columns,
    )


def _means(diagonal: Tensor, rows: int, columns: int) -> Floats:
    """Of each row, (rows,)."""
    if columns == 1:
        return diagonal.reshape(-1).double().numpy()
    means = np.empty(rows)
    each_read(
        [diagonal],
        lambda arrays, start, stop: _mean_rows(means[start // columns : stop // columns], arrays[0], columns),
        in_rows(columns),
    )
    return means


@kernel
def _mean_rows(means: Floats, entries: Array, columns: int) -> None:
    lanes = np.empty(LANES)
    for at in range(0, len(entries), columns):
        clear(lanes)
        for first in range(at, at + columns, LANES):
            size = min(LANES, at + columns - first)
            _add(lanes[:size], entries[first : first + size])
        means[at // columns] = total(lanes) / columns


@kernel
def _add(sums: Floats, entries: Array) -> None:
    for i in range(len(sums)):
        sums[i] = sums[i] + np.float64(entries[i])


@kernel
def _by_row(out: Array, models: Inputs, shares: Floats, columns: int, above: int) -> None:
    """shares: (inputs, rows). above: rows above these ones."""
    for first in range(0, len(out), columns):
        row = np.uint64(above + first // columns)
        for i in range(first, first + columns):
            at, total = np.uint64(i), 0.0
            for j in range(len(models)):
                total += np.float64(models[j][at]) * shares[np.uint64(j), row]
            out[at] = total
