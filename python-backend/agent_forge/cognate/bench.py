"""What all stages of a run train with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..contract.architecture import TinyTitan
from ..contract.cognate import CognateConfig, Specialization
from .datasets.registry import load_datasets
from .evaluation import Evaluator, ProblemSet
from .initialization import draw_all
from .mixture import Mixture, foreign, mean_lengths, problem_shares, shares
from .plan import Stage
from .presets import DEFAULTS, filled
from .tokenizer import load_tokenizer
from .training import FROM_SCRATCH, SPECIALISING, Trainer


def device_of(config: CognateConfig) -> torch.device:
    if config.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(config.device)


class TrainingBench:
    """What all stages of a run share, loaded once."""

    def __init__(self, config: CognateConfig, arch: TinyTitan, roots: Sequence[Path]) -> None:
        self.config = config
        self.arch = arch
        self.roots = roots
        self.device = device_of(config)
        self.foundation: Mapping[str, Tensor] | None = None
        """What specialists start from, once there is one; None: weights drawn from a stage's own seed."""
        self._tokenizer = load_tokenizer(config.tokenizer, arch.vocab_size, roots)
        self._datasets = load_datasets(config.datasets, config.difficulty, arch.window, roots)
        self._max_length = DEFAULTS[config.preset].max_length
        self._lengths = mean_lengths(self._datasets, self._tokenizer, self._max_length)

    def initial(self, stage: Stage) -> Mapping[str, Tensor]:
        return self.foundation if self.foundation is not None else draw_all(self.arch, stage.seed)

    def evaluator(self) -> Evaluator:
        """On the held-out problems of the run."""
        config = self.config
        chosen = ProblemSet(
            tuple(c.name for c in config.datasets), config.difficulty, config.eval_problems, config.tokenizer
        )
        return Evaluator(self.arch, chosen, chosen, roots=self.roots, device=self.device, precision=config.precision)

    def trainer(self, stage: Stage, tensors: Mapping[str, Tensor]) -> Trainer:
        """`tensors`: of the foundation, for what specialises from one; they stay as they are."""
        config = self.config
        specialises = stage.specialization is not None and bool(config.foundation_steps)
        rehearses = specialises and config.rehearsal == "distillation"
        return Trainer(
            self.arch,
            tensors,
            config,
            self.mixture(stage.specialization, rehearses=rehearses),
            stage=stage.name,
            seed=stage.seed,
            total_steps=stage.steps,
            device=self.device,
            ponder_cost=stage.ponder_cost,
            regime=SPECIALISING if specialises else FROM_SCRATCH,
            teacher=tensors if rehearses else None,
        )

    def mixture(self, family: Specialization | None, *, rehearses: bool) -> Mixture:
        config = self.config
        wanted = shares(self._datasets, [choice.weight for choice in config.datasets], family, config.own_share)
        return Mixture(
            self._datasets,
            problem_shares(wanted, self._lengths),
            self._tokenizer,
            filled(config.batch_tokens),
            self._max_length,
            foreign(self._datasets, family) if rehearses else (),
        )
