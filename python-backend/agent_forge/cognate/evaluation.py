"""Scores of a bare set of tensors on fixed problems, and the diagonal Fisher information."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ..contract.architecture import Architecture, fitted
from ..contract.cognate import DatasetChoice, TaskScore
from ..contract.errors import NotMeasurable
from ..contract.fault import Fault
from ..registry.tensors import shapes_of
from .batch import Batch, Encoded, collate, encode
from .datasets.problem import Dataset, Split
from .datasets.registry import load_datasets
from .flops import flops_per_token
from .model import TinyTitan
from .presets import DEFAULTS
from .tokenizer import Tokenizer, load_tokenizer
from .training import autocast, for_reading, uses_bf16

# More tokens at once leave the caches, fewer cost calls.
_TOKENS_PER_CALL = 2048


@dataclass(frozen=True)
class Evaluation:
    tasks: list[TaskScore]
    """One per dataset, in the configuration's order."""
    mean_depth: float
    """Blocks, over all tokens of all datasets."""
    flops_per_token: float
    """At that depth, one row of the output projection included."""
    tokens: int
    """Read, over all datasets."""


@dataclass(frozen=True)
class ProblemSet:
    """What determines every evaluated token: JSON, so that a recipe can carry it."""

    datasets: tuple[str, ...]
    difficulty: int
    problems: int
    """Per dataset; smaller datasets give what they have."""
    tokenizer: str = "bytes"


@dataclass(frozen=True)
class _Prepared:
    name: str
    problems: int
    batches: list[Batch]


class Evaluator:
    """Evaluates models of one architecture and of stacks of its blocks, whatever their depth; problems are drawn,
    encoded and laid out once for each split.

    Deterministic for a thread count: no sampling, no dropout, fixed order.
    Raises InvalidSetting where a dataset or the tokenizer cannot be loaded.
    """

    def __init__(
        self,
        architecture: Architecture,
        selection: ProblemSet,
        heldout: ProblemSet,
        *,
        roots: Sequence[Path] = (),
        device: torch.device | str = "cpu",
        precision: Literal["auto", "bf16", "fp32"] = "auto",
        model: type[TinyTitan] = TinyTitan,
    ) -> None:
        """`model`: what tensors are bound to; benchmarks evaluate a peer."""
        self.architecture = architecture
        self.device = torch.device(device)
        self._roots = tuple(roots)
        self._sets = {Split.selection: selection, Split.heldout: heldout}
        self._bf16 = uses_bf16(precision, architecture.preset, self.device)
        self._model = model
        self._models: dict[int, TinyTitan] = {}
        """Depth → what the tensors of a model are bound to."""
        self._prepared: dict[tuple[ProblemSet, Split], list[_Prepared]] = {}
        self.calibration: dict[str, Any] = {
            "datasets": list(selection.datasets),
            "difficulty": selection.difficulty,
            "problems": DEFAULTS[architecture.preset].fisher_problems,
            "tokenizer": selection.tokenizer,
            "split": Split.train.value,
            "architecture": architecture.model_dump(mode="json"),
        }

    def evaluate(
        self,
        tensors: Mapping[str, Tensor],
        split: Literal["selection", "heldout"],
        *,
        memory: bool = True,
        early_exit: bool = True,
    ) -> Evaluation:
        """Scores on the fixed problems of a split. Leaves `tensors` unchanged. `memory=False` ablates the memory;
        without `early_exit` tokens that have halted are computed all the same, and the result is not used.

        Raises RuntimeError where the tensors are of another architecture, and NotMeasurable where what the model
        computes is not finite.
        """
        which = Split(split)
        here = {name: tensor.to(self.device) for name, tensor in tensors.items()}
        model = self._bound(for_reading(here, self._bf16))
        tasks = []
        all_depth = all_tokens = 0
        with torch.inference_mode(), autocast(self._bf16, self.device):
            for task in self._problems(self._sets[which], which):
                score, depth, tokens = _score(model, task, memory, early_exit)
                tasks.append(score)
                all_depth += depth
                all_tokens += tokens
        mean_depth = all_depth / all_tokens
        return Evaluation(tasks, mean_depth, flops_per_token(model.arch, mean_depth), all_tokens)

    def fisher(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> dict[str, Tensor]:
        """Diagonal empirical Fisher: the mean over problems of the squared gradient of a problem's mean label loss.

        `calibration` as in `self.calibration`. Float32 on one CPU thread, so that the bytes depend on nothing else.
        """
        chosen = ProblemSet(
            tuple(calibration["datasets"]),
            int(calibration["difficulty"]),
            int(calibration["problems"]),
            str(calibration["tokenizer"]),
        )
        encoded = self._encoded(chosen, Split(calibration["split"]))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return _fisher(
                self._of(tensors), tensors, [p for _, part in encoded for p in part], self._tokenizer(chosen)
            )
        finally:
            torch.set_num_threads(threads)

    def _of(self, tensors: Mapping[str, Tensor]) -> Architecture:
        """The architecture at the depth of these tensors; itself where they are none of it."""
        return fitted(self.architecture, shapes_of(tensors)) or self.architecture

    def _bound(self, tensors: Mapping[str, Tensor]) -> TinyTitan:
        arch = self._of(tensors)
        if arch.n_layers not in self._models:
            self._models[arch.n_layers] = self._model(arch).requires_grad_(False)
        return self._models[arch.n_layers].bind(tensors)

    def _tokenizer(self, chosen: ProblemSet) -> Tokenizer:
        return load_tokenizer(chosen.tokenizer, self.architecture.vocab_size, self._roots)

    def _encoded(self, chosen: ProblemSet, split: Split) -> list[tuple[Dataset, list[Encoded]]]:
        tokenizer = self._tokenizer(chosen)
        limit = DEFAULTS[self.architecture.preset].max_length
        choices = [DatasetChoice(name=name) for name in chosen.datasets]
        datasets = load_datasets(choices, chosen.difficulty, self.architecture.window, self._roots)
        return [
            (d, [encode(p, tokenizer, d.by_character, limit) for p in d.problems(split, chosen.problems)])
            for d in datasets
        ]

    def _problems(self, chosen: ProblemSet, split: Split) -> list[_Prepared]:
        key = (chosen, split)
        if key not in self._prepared:
            pad = self._tokenizer(chosen).pad
            self._prepared[key] = [
                _Prepared(dataset.name, len(part), [b.to(self.device) for b in batches(part, pad)])
                for dataset, part in self._encoded(chosen, split)
            ]
        return self._prepared[key]


def batches(problems: Sequence[Encoded], pad: int) -> list[Batch]:
    """As many problems at once as are fast, by length; of their labels those that count in a score."""
    found: list[Batch] = []
    part: list[Encoded] = []
    tokens = 0
    for problem in sorted(problems, key=lambda p: len(p.ids)):
        if part and tokens + len(problem.ids) > _TOKENS_PER_CALL:
            found.append(_scored(part, pad))
            part, tokens = [], 0
        part.append(problem)
        tokens += len(problem.ids)
    return [*found, _scored(part, pad)]


def _scored(part: Sequence[Encoded], pad: int) -> Batch:
    """Without the labels that do not count."""
    batch = collate(part, pad)
    return batch.relabelled(batch.scored)


def _score(model: TinyTitan, task: _Prepared, memory: bool, skip: bool) -> tuple[TaskScore, int, int]:
    losses: list[Tensor] = []
    solved = depth = tokens = 0
    for batch in task.batches:
        output = model(batch.tokens, batch.layout, batch.labels, memory=memory, skip=skip)
        logits = output.logits.float()
        losses.append(F.cross_entropy(logits, batch.targets, reduction="none").double())
        _require_finite(task.name, logits, losses[-1])
        wrong = batch.problems[logits.argmax(dim=-1) != batch.targets]
        solved += len(torch.bincount(batch.problems)) - int(torch.bincount(wrong).count_nonzero())
        depth += int(output.depth.sum())
        tokens += int(batch.layout.real.count_nonzero())
    loss = float(torch.cat(losses).mean())
    score = TaskScore(
        dataset=task.name,
        problems=task.problems,
        loss=loss,
        # A merge can be so far off that exp overflows; a perplexity beyond e⁷⁰⁰ is given as e⁷⁰⁰.
        perplexity=math.exp(min(loss, 700.0)),
        accuracy=solved / task.problems,
        mean_depth=depth / tokens,
    )
    return score, depth, tokens


def _require_finite(dataset: str, logits: Tensor, losses: Tensor) -> None:
    """Raises NotMeasurable: a NaN or an infinity has no place in a score, and none can be compared with it."""
    if not bool(torch.stack(logits.aminmax()).isfinite().all()):
        raise NotMeasurable(
            Fault(kind="output_not_finite", message=f"on {dataset} the model's outputs are not finite: they overflow")
        )
    if not bool(losses.isfinite().all()):
        raise NotMeasurable(
            Fault(kind="loss_not_finite", message=f"on {dataset} the loss is not finite: the outputs lie too far apart")
        )


def _fisher(
    arch: Architecture, tensors: Mapping[str, Tensor], problems: Sequence[Encoded], tokenizer: Tokenizer
) -> dict[str, Tensor]:
    own = {name: tensor.detach().to("cpu", torch.float32) for name, tensor in tensors.items()}
    model = TinyTitan(arch).bind(own).requires_grad_()
    total: dict[str, Tensor] = {}

    def square(name: str, parameter: Tensor) -> None:
        """As soon as it is there: one gradient at a time is kept, and the first becomes the sum."""
        gradient, parameter.grad = parameter.grad, None
        assert gradient is not None  # noqa: S101 - called when it is there
        if name in total:
            total[name].addcmul_(gradient, gradient)
        else:
            total[name] = gradient.square_()

    for name, parameter in model.named_parameters():
        parameter.register_post_accumulate_grad_hook(partial(square, name))  # type: ignore[no-untyped-call]
    for problem in problems:
        batch = collate([problem], tokenizer.pad)
        output = model(batch.tokens, batch.layout, batch.labels)
        torch.autograd.backward(F.cross_entropy(output.logits, batch.targets))
    return {
        name: total[name].div_(len(problems)) if name in total else torch.zeros_like(parameter)
        for name, parameter in own.items()
    }
