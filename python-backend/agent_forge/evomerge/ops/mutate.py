from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.special import ndtri
from torch import Tensor

from .chunks import made
from .combination import deviation
from .compiled import BLOCK, Array, Floats, kernel
from .compiled import Inputs as Arrays
from .draw import LEVELS, Draw
from .philox import GROUP, Words, fill_first, fill_group
from .registry import Inputs, Tensors, merge_op
from .taskvectors import Levels

_CHUNK = 1 << 18
"""Entries at once: each chunk costs a tenth of a millisecond outside of kernels."""


@merge_op(source="gaussian mutation of evolution strategies, Rechenberg 1973")
def mutate(
    models: Annotated[Tensors, Inputs(1, 1)],
    draw: Draw,
    *,
    rate: Annotated[float, Field(ge=0, le=1, description="share of the entries that change")] = 0.01,
    sigma: Annotated[
        float, Field(ge=0, le=1, description="σ of the change, relative to the tensor's standard deviation")
    ] = 0.01,
) -> Tensor:
    """Add gaussian noise to a random share of the entries, σ relative to each tensor's standard deviation.

    Entry i is chosen by the 16-bit integer number i of one stream, and its noise is the first word of counter i of
    another.

    Edges: rate 0, σ 0 and a constant tensor leave everything as it is.
    """
    (tensor,) = models
    spread = sigma * deviation(tensor) if rate > 0 else 0.0
    if spread == 0:
        return tensor
    which, noise = draw.stream("which"), draw.stream("noise")

    def fill(out: Array, arrays: Arrays, first: int) -> None:
        (values,) = arrays
        places = np.empty(len(out), dtype=np.int64)
        places = places[: _choose(places, which, round(rate * LEVELS), first)]
        drawn = np.empty(len(places), dtype=np.uint32)
        fill_first(drawn, noise, first + places)
        out[:] = values
        _add(out, values, places, normals(drawn) * spread)

    return made([tensor], fill, chunk=_CHUNK)


def normals(integers: npt.NDArray[np.uint32]) -> Floats:
    """Standard normal by inversion, rounded to 2⁻²⁰, so that the last digit of a libm does not show."""
    return np.round(ndtri((integers.astype(np.float64) + 0.5) / 2**32) * 2**20) / 2**20


@kernel
def _choose(places: npt.NDArray[np.int64], which: Words, threshold: int, start: int) -> int:
    """How many of the entries from `start` on are chosen; their places in the chunk come first in `places`."""
    drawn = np.empty(GROUP, dtype=np.uint32)
    levels = drawn.view(np.uint16)
    count = 0
    for at in range(0, len(places), BLOCK):
        fill_group(drawn, which, (start + at) // BLOCK)
        count = _note(places, count, levels[: min(BLOCK, len(places) - at)], threshold, at)
    return count


@kernel
def _note(places: npt.NDArray[np.int64], count: int, levels: Levels, threshold: int, at: int) -> int:
    for i in range(len(levels)):
        # few are chosen: a branch costs less than to write every place
        if np.int64(levels[i]) < threshold:
            places[count] = at + i
            count += 1
    return count


@kernel
def _add(out: Array, values: Array, places: npt.NDArray[np.int64], noise: Floats) -> None:
    for index in range(len(places)):
        place = places[index]
        out[place] = np.float64(values[place]) + noise[index]
