from __future__ import annotations

import math
from itertools import combinations
from typing import Annotated

from torch import Tensor

from .combination import combined, inner_products_of
from .gram import inner, unit
from .registry import Inputs, Tensors, merge_op
from .statistics_cache import StatisticsCache


@merge_op(source="Jang et al. 2024, Model Stock, arXiv:2403.19522, equation 6")
def model_stock(models: Annotated[Tensors, Inputs(2)], base: Tensor, statistics: StatisticsCache) -> Tensor:
    """Between the base and the models' mean, at the ratio that the angle θ of their task vectors gives:
    t = N cosθ / (1 + (N−1) cosθ), per tensor.

    cosθ is the mean over all pairs.

    Edges: a cosθ below 0 counts as 0, which gives the base. A task vector of length 0 is orthogonal to all others.

    mergekit: lets a negative cosθ through, for which the ratio leaves [0, 1]: away from the models, without bound as
    cosθ nears −1/(N−1). The paper derives the ratio for cosθ ≥ 0. Counts a product of lengths below 1e-6 as 1e-6.
    """
    count = len(models)
    table = inner_products_of(models, statistics, base)
    deltas = [[x - y for x, y in zip(unit(i, count + 1), unit(count, count + 1), strict=True)] for i in range(count)]
    cosines = []
    for a, b in combinations(deltas, 2):
        size = math.sqrt(max(0.0, inner(table, a, a)) * max(0.0, inner(table, b, b)))
        cosines.append(inner(table, a, b) / size if size > 1e-12 else 0.0)
    cosine = min(1.0, max(0.0, math.fsum(cosines) / len(cosines)))
    t = count * cosine / (1 + (count - 1) * cosine)
    return combined([*models, base], [t / count] * count + [1 - t])
