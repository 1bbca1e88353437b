from __future__ import annotations

from typing import Annotated

from torch import Tensor

from .decoupling import TIME, Time, decoupled
from .registry import Inputs, Scale, Tensors, merge_op
from .statistics_cache import StatisticsCache
from .taskvectors import EVERYTHING, Outcome, banded


@merge_op(source="Wei et al. 2026, SWUDI, arXiv:2606.07289; closed form of WUDI, arXiv:2503.08099")
def swudi(
    models: Annotated[Tensors, Inputs(2)],
    base: Tensor,
    group: str,
    statistics: StatisticsCache,
    *,
    time: Time = TIME,
    scale: Scale = 1.0,
) -> Tensor:
    """Sum of decoupled task vectors: θ₀ + λ Σ τ̃ᵢ, the sum that least changes what each model gives.

    Needs no data: the rows of a task vector stand for the inputs that it was trained on. For vectors and the
    embedding, the mean. The same bytes as `task_arithmetic` over each model's `decouple`.

    Edges: λ 0 gives the base; t 0 gives the sum of the matrices' task vectors.
    """
    parts = decoupled(models, base, group, statistics, time)
    return banded(parts, base, [EVERYTHING] * len(parts), Outcome([1.0] * len(parts), scale))
