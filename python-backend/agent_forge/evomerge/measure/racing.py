"""Candidates that are clearly worse stop early (racing; Maron & Moore 1994, Hoeffding races; Birattari et al. 2002,
F-Race): all see the same problems in the same order, so that two are compared problem by problem."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BLOCK = 16
"""Problems of each dataset between two looks."""
RIVAL = 4
"""Rank of the candidate that one has to be worse than to stop: breeding uses those above it."""
SIGNIFICANCE = 0.01
"""Of a single look; there are several."""
DECIMALS = 4
"""Of a problem's fitness: last bits of a sum, which may depend on the number of threads, decide nothing."""


def worse(own: Floats, rival: Floats) -> bool:
    """Whether a paired test finds own below rival: Wilcoxon's signed ranks, one-sided.

    own: fitness on each problem so far; rival: on these and maybe more.
    """
    from scipy.stats import wilcoxon

    difference = np.round(own - rival[: len(own)], DECIMALS)
    if not np.any(difference < 0):
        return False
    return float(wilcoxon(difference, alternative="less", method="approx").pvalue) < SIGNIFICANCE


def ends(problems: int) -> list[int]:
    """Problems of each dataset after each block."""
    return [*range(BLOCK, problems, BLOCK), problems]
