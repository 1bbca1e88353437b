"""Which strategy a run searches with."""

from __future__ import annotations

from ..contract.evomerge import EvoMergeConfig
from .genome import Frame
from .mutation import Scheme
from .strategy import Strategy
from .tournament import Tournament


def strategy_of(config: EvoMergeConfig, frame: Frame) -> Strategy:
    """Raises `UnknownOp`."""
    return Tournament(Scheme(config, tuple(config.parents), frame.depth), frame)
