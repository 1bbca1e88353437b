from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from ..errors import BadParameter
from .decoupling import TIME, Time, decoupled
from .registry import Inputs, Tensors, merge_op
from .statistics_cache import StatisticsCache


@merge_op(source="Wei et al. 2026, SWUDI, arXiv:2606.07289; closed form of WUDI, arXiv:2503.08099; split by model")
def decouple(
    models: Annotated[Tensors, Inputs(2)],
    base: Tensor,
    group: str,
    statistics: StatisticsCache,
    *,
    index: Annotated[int, Field(ge=0, le=1023, description="index of the model whose part this is, from 0")] = 0,
    time: Time = TIME,
) -> Tensor:
    """One model's part of the SWUDI merge: θ₀ + τ̃ᵢ, its task vector with less of what the other models' inputs read.

    The plain sum of all models' τ̃ᵢ is `swudi`; any op on task vectors may take them instead of the τᵢ.

    Edges: for vectors and the embedding τ̃ᵢ is τᵢ over the number of models. An index beyond the models is refused.
    """
    if index >= len(models):
        raise BadParameter(f"index: {index} of {len(models)} models")
    return decoupled(models, base, group, statistics, time)[index]
