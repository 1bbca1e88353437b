from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .chunks import by_rows, each_chunk, row_shape, rows_at_once
from .registry import Inputs, Tensors, merge_op
from .trim import kth, magnitude

_EPSILON = 1e-8


def _divergences(model: Tensor, base: Tensor) -> npt.NDArray[np.float32]:
    """KL(softmax θ ‖ softmax θ₀) of each row, (rows,).

    float32: the last digits of `exp` and `log` differ between machines and must not show.
    """
    rows, columns = row_shape(model)
    flat, origin = model.reshape(rows, columns), base.reshape(rows, columns)
    out = np.zeros(rows, dtype=np.float32)

    def work(start: int, stop: int) -> None:
        p = (flat[start:stop].to(torch.float64).softmax(dim=1) + _EPSILON).numpy()
        q = (origin[start:stop].to(torch.float64).softmax(dim=1) + _EPSILON).numpy()
        out[start:stop] = np.maximum(np.add.reduce(p * np.log(p / q), axis=1), 0)

    each_chunk(rows, work, rows_at_once(columns))
    return out


@merge_op(source="mergekit, github.com/arcee-ai/mergekit/blob/main/docs/merge_methods.md#arcee-fusion-arcee_fusion")
def arcee_fusion(models: Annotated[Tensors, Inputs(1, 1)], base: Tensor) -> Tensor:
    """Take over only the model's most important entries: importance is |τ| times the divergence of the row's
    softmax from the base's, the threshold its median + 1.5 interquartile ranges.

    Per tensor; a vector is one row.

    Edges: where the importance is 0 throughout, as in a tensor of one entry, the model is taken whole. Entries at the
    threshold are taken.

    mergekit: takes the quantiles of a random million of a larger tensor's entries, here they are those of all; works
    in the inputs' precision, where the divergence of near models is lost in rounding.
    """
    (model,) = models
    count, columns = model.numel(), row_shape(model)[1]
    divergence = _divergences(model, base)
    flat, origin = model.reshape(-1), base.reshape(-1)

    def importance(at: slice) -> npt.NDArray[np.float32]:
        size = magnitude(flat[at].to(torch.float64, copy=True).sub_(origin[at])).numpy()
        rows = np.arange(at.start, min(at.stop, count), at.step or 1) // columns
        size *= divergence[rows]
        return size

    first, middle, third = (
        np.float32(kth(importance, count, count - int(share * (count - 1)))) for share in (0.25, 0.5, 0.75)
    )
    threshold = middle + np.float32(1.5) * (third - first)

    def merge(parts: list[Tensor], row: int) -> Tensor:
        origin, model = parts
        delta = model.sub_(origin)
        chosen = magnitude(delta).numpy() * divergence[row : row + len(delta), None] >= threshold
        return origin.add_(delta.mul_(torch.from_numpy(chosen)))

    return by_rows(merge, [base, model])
