"""Scores of a bare set of tensors on fixed problems, and the diagonal Fisher information."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..contract.architecture import TinyTitan, fitted
from ..contract.cognate import DatasetChoice
from ..contract.errors import NotMeasurable
from ..contract.fault import Fault
from ..registry.tensors import shapes_of
from .batch import Batch, Encoded, collate, encode
from .datasets.problem import Dataset, Split
from .datasets.registry import load_datasets
from .draws import Draws
from .grams import grams
from .model import TinyTitanModel
from .presets import DEFAULTS
from .scoring import Answers, Counts, Evaluation, counted, spans
from .tokenizer import Tokenizer, load_tokenizer
from .training import autocast, for_reading, uses_bf16

_TOKENS_PER_CALL = {"cpu": 2048, "cuda": 16384}
"""More at once leave a processor's caches, fewer cost calls: an H100 answers 1,536 problems at `nano` in 24 ms by calls
of 16,384 tokens, and in 175 ms by those of 2,048."""

_Measure = Callable[[TinyTitan, Mapping[str, Tensor], Sequence[Encoded], int], dict[str, Tensor]]
"""(architecture, tensors, problems, padding) → what was found out about the tensors, by name."""


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
    """Problems of all datasets, laid out."""

    names: tuple[str, ...]
    dataset: Counts
    """Index of each problem's dataset."""
    batches: list[tuple[Counts, Batch]]
    """With the place of each of its problems among all."""


class Evaluator:
    """Evaluates models of one architecture and of stacks of its blocks, whatever their depth; problems are drawn,
    encoded and laid out once for each split.

    Deterministic for a thread count: no sampling, no dropout, fixed order.
    Raises InvalidSetting where a dataset or the tokenizer cannot be loaded.
    """

    def __init__(
        self,
        architecture: TinyTitan,
        selection: ProblemSet,
        heldout: ProblemSet,
        *,
        roots: Sequence[Path] = (),
        device: torch.device | str = "cpu",
        precision: Literal["auto", "bf16", "fp32"] = "auto",
        model: type[TinyTitanModel] = TinyTitanModel,
    ) -> None:
        """`model`: what tensors are bound to; benchmarks evaluate a peer."""
        self.architecture = architecture
        self.device = torch.device(device)
        self._roots = tuple(roots)
        self._sets = {Split.selection: selection, Split.heldout: heldout}
        self._bf16 = uses_bf16(precision, architecture.preset, self.device)
        self._model = model
        self._models: dict[int, TinyTitanModel] = {}
        """Depth → what the tensors of a model are bound to."""
        self._loaded: dict[ProblemSet, list[Dataset]] = {}
        self._prepared: dict[tuple[ProblemSet, Split, int, int], _Prepared] = {}
        self.calibration: dict[str, Any] = {
            "datasets": list(selection.datasets),
            "difficulty": selection.difficulty,
            "problems": DEFAULTS[architecture.preset].fisher_problems,
            "tokenizer": selection.tokenizer,
            "split": Split.train.value,
            # without its kind, as recipes were written before there was another
            "architecture": architecture.model_dump(mode="json", exclude={"kind"}),
        }

    @property
    def problems(self) -> int:
        """Selection problems of each dataset that `evaluate` takes."""
        return self._sets[Split.selection].problems

    def evaluate(
        self,
        tensors: Mapping[str, Tensor],
        split: Literal["selection", "heldout"],
        *,
        memory: bool = True,
        early_exit: bool = True,
    ) -> Evaluation:
        """Scores on all fixed problems of a split, see `answers`."""
        return self.answers(tensors, split, memory=memory, early_exit=early_exit).scores()

    def answers(
        self,
        tensors: Mapping[str, Tensor],
        split: Literal["selection", "heldout"],
        start: int = 0,
        stop: int | None = None,
        *,
        memory: bool = True,
        early_exit: bool = True,
    ) -> Answers:
        """Answers to problems start to stop of each dataset in a split. Leaves `tensors` unchanged.

        stop None: all that the split's problem set has; it may lie beyond them, and smaller datasets give what they
        have. `memory=False` ablates the memory; without `early_exit` tokens that have halted are computed all the
        same, and the result is not used.
        Raises RuntimeError where the tensors are of another architecture, and NotMeasurable where what the model
        computes is not finite.
        """
        which = Split(split)
        chosen = self._sets[which]
        here = {name: tensor.to(self.device) for name, tensor in tensors.items()}
        model = self._bound(for_reading(here, self._bf16))
        asked = self._problems(chosen, which, start, chosen.problems if stop is None else stop)
        with torch.inference_mode(), autocast(self._bf16, self.device):
            return _answered(model, asked, memory, early_exit)

    def gradient(
        self, tensors: Mapping[str, Tensor], seed: int, step: int, problems: int, ponder_cost: float
    ) -> dict[str, Tensor]:
        """Of the loss over training problems: mean cross-entropy of the answers, every dataset counting the same, and
        `ponder_cost` × mean ponder cost of the tokens. Float32, on the CPU, zeros where a tensor takes no part.

        problems: of each dataset, drawn from the train split by (seed, step).
        Raises NotMeasurable where the loss is not finite.
        """
        chosen = self._sets[Split.selection]
        tokenizer = self._tokenizer(chosen)
        limit = DEFAULTS[self.architecture.preset].max_length
        names, parts = [], []
        for dataset in self._datasets(chosen):
            draws = Draws("polish", seed, step, dataset.name)
            drawn = [dataset.draw(draws, Split.train) for _ in range(problems)]
            names.append(dataset.name)
            parts.append([encode(one, tokenizer, dataset.by_character, limit) for one in drawn])
        asked = _laid_out(names, parts, tokenizer.pad, self.device)
        own = {name: t.detach().to(self.device, torch.float32) for name, t in tensors.items()}
        model = TinyTitanModel(self._of(tensors)).bind(own).requires_grad_()
        _descend(model, asked, ponder_cost, lambda: autocast(self._bf16, self.device))
        return {
            name: torch.zeros_like(parameter, device="cpu") if parameter.grad is None else parameter.grad.cpu()
            for name, parameter in model.named_parameters()
        }

    def fisher(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> dict[str, Tensor]:
        """Diagonal empirical Fisher: the mean over problems of the squared gradient of a problem's mean label loss.

        `calibration` as in `self.calibration`. Float32 on one CPU thread, so that the bytes depend on nothing else.
        """
        return self._calibrated(_fisher, tensors, calibration)

    def grams(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> dict[str, Tensor]:
        """Gram matrix of each matrix's inputs, see `grams.grams`; on one CPU thread, as `fisher`."""
        return self._calibrated(grams, tensors, calibration)

    def _calibrated(
        self, measure: _Measure, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        chosen = ProblemSet(
            tuple(calibration["datasets"]),
            int(calibration["difficulty"]),
            int(calibration["problems"]),
            str(calibration["tokenizer"]),
        )
        encoded = self._encoded(chosen, Split(calibration["split"]), 0, chosen.problems)
        problems = [problem for _, part in encoded for problem in part]
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return measure(self._of(tensors), tensors, problems, self._tokenizer(chosen).pad)
        finally:
            torch.set_num_threads(threads)

    def _of(self, tensors: Mapping[str, Tensor]) -> TinyTitan:
        """The architecture at the depth of these tensors; itself where they are none of it."""
        return fitted(self.architecture, shapes_of(tensors)) or self.architecture

    def _bound(self, tensors: Mapping[str, Tensor]) -> TinyTitanModel:
        arch = self._of(tensors)
        if arch.n_layers not in self._models:
            self._models[arch.n_layers] = self._model(arch).requires_grad_(False)
        return self._models[arch.n_layers].bind(tensors)

    def _tokenizer(self, chosen: ProblemSet) -> Tokenizer:
        return load_tokenizer(chosen.tokenizer, self.architecture.vocab_size, self._roots)

    def _datasets(self, chosen: ProblemSet) -> list[Dataset]:
        if chosen not in self._loaded:
            choices = [DatasetChoice(name=name) for name in chosen.datasets]
            self._loaded[chosen] = load_datasets(choices, chosen.difficulty, self.architecture.window, self._roots)
        return self._loaded[chosen]

    def _encoded(self, chosen: ProblemSet, split: Split, start: int, stop: int) -> list[tuple[str, list[Encoded]]]:
        tokenizer = self._tokenizer(chosen)
        limit = DEFAULTS[self.architecture.preset].max_length
        return [
            (d.name, [encode(p, tokenizer, d.by_character, limit) for p in d.problems(split, stop)[start:]])
            for d in self._datasets(chosen)
        ]

    def _problems(self, chosen: ProblemSet, split: Split, start: int, stop: int) -> _Prepared:
        key = (chosen, split, start, stop)
        if key not in self._prepared:
            names, parts = zip(*self._encoded(chosen, split, start, stop), strict=True)
            self._prepared[key] = _laid_out(names, parts, self._tokenizer(chosen).pad, self.device)
        return self._prepared[key]


def _laid_out(names: Sequence[str], parts: Sequence[Sequence[Encoded]], pad: int, device: torch.device) -> _Prepared:
    """In batches of alike lengths, without the labels that do not count."""
    problems = [problem for part in parts for problem in part]
    batches: list[list[int]] = []
    most = _TOKENS_PER_CALL[device.type]
    tokens = most
    for place in sorted(range(len(problems)), key=lambda place: len(problems[place].ids)):
        if tokens + len(problems[place].ids) > most:
            batches.append([])
            tokens = 0
        batches[-1].append(place)
        tokens += len(problems[place].ids)
    return _Prepared(
        tuple(names),
        spans(parts),
        [(np.array(places), _scored([problems[place] for place in places], pad).to(device)) for places in batches],
    )


def _scored(part: Sequence[Encoded], pad: int) -> Batch:
    """Without the labels that do not count."""
    batch = collate(part, pad)
    return batch.relabelled(batch.scored)


def _answered(model: TinyTitanModel, asked: _Prepared, memory: bool, skip: bool) -> Answers:
    count = len(asked.dataset)
    losses = np.zeros(count)
    labels, wrong, depths, tokens = np.zeros((4, count), dtype=np.int64)
    for places, batch in asked.batches:
        output = model(batch.tokens, batch.layout, batch.labels, memory=memory, skip=skip)
        logits = output.logits.float()
        loss = F.cross_entropy(logits, batch.targets, reduction="none").double()
        owners = batch.problems.cpu().numpy()
        _require_finite(logits, loss, asked.dataset[places][owners], asked.names)
        real = batch.layout.real.cpu().numpy()
        rows = batch.rows.cpu().numpy()[real]
        losses[places] = counted(owners, loss.cpu().numpy(), len(places))
        labels[places] = counted(owners, None, len(places))
        wrong[places] = counted(owners, (logits.argmax(dim=-1) != batch.targets).cpu().numpy(), len(places))
        depths[places] = counted(rows, output.depth.cpu().numpy()[real], len(places))
        tokens[places] = counted(rows, None, len(places))
    return Answers(asked.names, model.arch, asked.dataset, losses, labels, wrong == 0, depths, tokens)


def _require_finite(logits: Tensor, losses: Tensor, dataset: Counts, names: Sequence[str]) -> None:
    """Raises NotMeasurable: a NaN or an infinity has no place in a score, and none can be compared with it.

    logits: a row for each label; dataset: index in `names` of each row's.
    """
    for what, values, why in (
        ("output_not_finite", logits, "the model's outputs are not finite: they overflow"),
        ("loss_not_finite", losses[:, None], "the loss is not finite: the outputs lie too far apart"),
    ):
        if not bool(torch.stack(values.aminmax()).isfinite().all()):
            first = int((~values.isfinite().all(dim=-1)).nonzero()[0])
            raise NotMeasurable(Fault(kind=what, message=f"on {names[dataset[first]]} {why}"))


def _descend(
    model: TinyTitanModel, asked: _Prepared, ponder_cost: float, casting: Callable[[], AbstractContextManager[Any]]
) -> None:
    """Leave the gradient in the model's parameters. Raises NotMeasurable."""
    owners = [asked.dataset[places][batch.problems.cpu().numpy()] for places, batch in asked.batches]
    shares = 1 / (len(asked.names) * counted(np.concatenate(owners), None, len(asked.names)))
    tokens = sum(int(batch.layout.real.count_nonzero()) for _, batch in asked.batches)
    for dataset, (_, batch) in zip(owners, asked.batches, strict=True):
        with casting():
            output = model(batch.tokens, batch.layout, batch.labels)
        loss = F.cross_entropy(output.logits.float(), batch.targets, reduction="none")
        cost = (loss * torch.from_numpy(shares[dataset]).to(loss)).sum() + ponder_cost * output.ponder.sum() / tokens
        if not bool(cost.isfinite()):
            raise NotMeasurable(Fault(kind="loss_not_finite", message="on training problems the loss is not finite"))
        torch.autograd.backward(cost)


def _fisher(arch: TinyTitan, tensors: Mapping[str, Tensor], problems: Sequence[Encoded], pad: int) -> dict[str, Tensor]:
    own = {name: tensor.detach().to("cpu", torch.float32) for name, tensor in tensors.items()}
    model = TinyTitanModel(arch).bind(own).requires_grad_()
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
        batch = collate([problem], pad)
        output = model(batch.tokens, batch.layout, batch.labels)
        torch.autograd.backward(F.cross_entropy(output.logits, batch.targets))
    return {
        name: total[name].div_(len(problems)) if name in total else torch.zeros_like(parameter)
        for name, parameter in own.items()
    }
