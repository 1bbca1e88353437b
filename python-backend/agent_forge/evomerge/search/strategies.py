"""Which strategy a run searches with."""

from __future__ import annotations

from ...contract.evomerge import EvoMergeConfig
from ..errors import BadParameter
from ..recipe.frame import Frame
from .mutation import Scheme
from .optimizers import Optimizer
from .space import Space, chosen_ops
from .strategy import POPULATIONS, Strategy
from .tournament import Tournament


def strategy_of(config: EvoMergeConfig, frame: Frame) -> Strategy:
    """Raises `UnknownOp` and `BadParameter`."""
    least, most = POPULATIONS[config.strategy]
    if not least <= config.population <= most:
        raise BadParameter(f"{config.strategy} breeds {least} to {most} candidates, not {config.population}")
    if config.strategy == "tournament":
        return Tournament(Scheme(config, tuple(config.parents), frame.depth), frame)
    return Optimizer(config, Space(frame, chosen_ops(config.ops, len(config.parents)), config.seed))
