from __future__ import annotations

from torch import Tensor

from .registry import Scale, Tensors, Weights, merge_op
from .taskvectors import EVERYTHING, Outcome, banded


@merge_op(source="Ilharco et al. 2023, Editing models with task arithmetic, arXiv:2212.04089")
def task_arithmetic(models: Tensors, base: Tensor, *, weights: Weights = (), scale: Scale = 1.0) -> Tensor:
    """Sum of task vectors about the base: θ₀ + λ Σ wᵢτᵢ.

    A sum, not a mean: n equal models give n times their task vector.

    Edges: λ 0 or weights of 0 give the base; negative ones, and a negative λ, unlearn.

    mergekit: does the same; can divide by the sum of the weights.
    """
    return banded(models, base, [EVERYTHING] * len(models), Outcome(weights, scale))
