from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from .chunks import each_chunk, in_rows, made, row_shape
from .compiled import Array, Inputs, kernel
from .registry import Inputs as Count
from .registry import Tensors, merge_op
from .statistics_cache import StatisticsCache
from .trim import Magnitudes, kth, magnitudes

_EPSILON = 1e-8


@merge_op(source="mergekit, github.com/arcee-ai/mergekit/blob/main/docs/merge_methods.md#arcee-fusion-arcee_fusion")
def arcee_fusion(models: Annotated[Tensors, Count(1, 1)], base: Tensor, statistics: StatisticsCache) -> Tensor:
    """Take over only the model's most important entries: importance is |τ| times the divergence of the row's
    softmax from the base's, the threshold its median + 1.5 interquartile ranges.

    Per tensor; a vector is one row.

    Edges: where the importance is 0 throughout, as in a tensor of one entry, the model is taken whole. Entries at the
    threshold are taken.

    mergekit: takes the quantiles of a random million of a larger tensor's entries, here they are those of all; works
    in the inputs' precision, where the divergence of near models is lost in rounding.
    """
    (model,) = models
    if model.numel() == 0:
        return base
    threshold, divergences = statistics([0], "importance", lambda: _importance(model, base))
    columns = row_shape(model)[1]
    return made(
        [model, base],
        lambda out, arrays, first: _take(
            out, arrays[0], arrays[1], divergences[first // columns :], threshold, columns
        ),
        columns=columns,
    )


def _importance(model: Tensor, base: Tensor) -> tuple[np.float32, Magnitudes]:
    """The least importance that is taken over, and the rows' divergences, (rows,)."""
    count, columns = model.numel(), row_shape(model)[1]
    divergences = _divergences(model, base)

    def measure(out: Magnitudes, arrays: Inputs, first: int, stride: int) -> None:
        magnitudes(out, arrays[0], arrays[1])
        _weigh(out, divergences, columns, first, stride)

    first, middle, third = (
        np.float32(kth([model, base], measure, count - int(share * (count - 1)))) for share in (0.25, 0.5, 0.75)
    )
    return middle + np.float32(1.5) * (third - first), divergences


def _divergences(model: Tensor, base: Tensor) -> Magnitudes:
    """KL(softmax θ ‖ softmax θ₀) of each row, (rows,).

    float32: the last digits of `exp` and `log` differ between machines and must not show.
    """
    rows, columns = row_shape(model)
    p, q = model.reshape(rows, columns), base.reshape(rows, columns)
    out = np.zeros(rows, dtype=np.float32)

    def work(start: int, stop: int) -> None:
        here = slice(start // columns, stop // columns)
        a = (p[here].to(torch.float64).softmax(dim=1) + _EPSILON).numpy()
        b = (q[here].to(torch.float64).softmax(dim=1) + _EPSILON).numpy()
        out[here] = np.maximum(np.add.reduce(a * np.log(a / b), axis=1), 0)

    each_chunk(model.numel(), work, in_rows(columns))
    return out


@kernel
def _weigh(out: Magnitudes, divergences: Magnitudes, columns: int, first: int, stride: int) -> None:
    for i in range(len(out)):
        out[i] = out[i] * divergences[(first + i * stride) // columns]


@kernel
def _take(
    out: Array,
    model: Array,
    base: Array,
    divergences: Magnitudes,
    threshold: np.float32,
    columns: int,
) -> None:
    for at in range(0, len(out), columns):
        row = slice(at, at + columns)
        _take_row(out[row], model[row], base[row], divergences[at // columns], threshold)


@kernel
def _take_row(out: Array, model: Array, base: Array, divergence: np.float32, threshold: np.float32) -> None:
    for i in range(len(out)):
        size = np.float32(abs(np.float64(model[i]) - np.float64(base[i])))
        out[i] = model[i] if size * divergence >= threshold else base[i]
