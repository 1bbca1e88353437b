from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.special import ndtri
from torch import Tensor

from .chunks import made
from .combination import deviation
from .compiled import BLOCK, Array, Floats, flat, kernel
from .draw import LEVELS, Draw
from .philox import Words, words
from .registry import Inputs, Tensors, merge_op


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

    Entry i is chosen by the 16-bit integer number i of one stream, and its noise is the 32-bit integer number i of
    another.

    Edges: rate 0, σ 0 and a constant tensor leave all as it is.
    """
    (tensor,) = models
    spread = sigma * deviation(tensor) if rate > 0 else 0.0
    if spread == 0:
        return tensor
    values, which, noise = flat(tensor), draw.stream("which"), draw.stream("noise")

    def fill(out: Array, start: int, stop: int) -> None:
        places = np.empty(stop - start, dtype=np.int64)
        drawn = np.empty(stop - start, dtype=np.uint32)
        count = _chosen(places, drawn, which, noise, round(rate * LEVELS), start)
        out[start:stop] = values[start:stop]
        _add(out[start:stop], values[start:stop], places[:count], normals(drawn[:count]) * spread)

    return made(tensor, fill)


def normals(integers: npt.NDArray[np.uint32]) -> Floats:
    """Standard normal by inversion, rounded to 2⁻²⁰, so that the last digit of a libm does not show."""
    return np.round(ndtri((integers.astype(np.float64) + 0.5) / 2**32) * 2**20) / 2**20


@kernel
def _chosen(
    places: npt.NDArray[np.int64],
    drawn: npt.NDArray[np.uint32],
    which: Words,
    noise: Words,
    threshold: int,
    start: int,
) -> int:
    """How many of the entries from `start` on are chosen: their places in the chunk, and what they draw."""
    some = np.empty(BLOCK // 4, dtype=np.uint64)
    levels, integers = some.view(np.uint16), some.view(np.uint32)
    count = 0
    for at in range(0, len(places), BLOCK):
        words(some, which, (start + at) // 4)
        for i in range(min(BLOCK, len(places) - at)):
            places[count] = at + i
            count += int(np.int64(levels[i]) < threshold)
    for index in range(count):
        entry = start + places[index]
        words(some[:8], noise, entry // 16 * 8)
        drawn[index] = integers[entry % 16]
    return count


@kernel
def _add(out: Array, values: Array, places: npt.NDArray[np.int64], noise: Floats) -> None:
    for index in range(len(places)):
        place = places[index]
        out[place] = np.float64(values[place]) + noise[index]
