"""What causal language models answer, problem by problem: an `Evaluator` of evolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..cognate.datasets.problem import Split
from ..contract.architecture import CausalLM
from ..contract.errors import NotMeasurable
from ..contract.evomerge import CausalLMSettings
from ..contract.fault import Fault
from .chat import Chat
from .decoding import says
from .harness.task import Exam
from .network import Network, config_of, open_network
from .posed import Batch, Posed, batches
from .problems import Choice, Completion, Encoded, Passage
from .reading import answer_losses, passage_loss, read_prompts
from .scoring import Answers, Size
from .statistics import calibrated, descend, diagonal, gram_matrices
from .text import Text

LIMIT = 4096
"""Tokens of a problem at most, where the model reads more: memory grows with them."""
CALIBRATION_PROBLEMS = 16
"""Of each dataset, for Fisher information and Gram matrices."""


@dataclass(frozen=True)
class Measured:
    """What determines every evaluated token: a recipe can carry it."""

    datasets: tuple[str, ...]
    difficulty: int
    selection: int
    """Problems per dataset; smaller datasets give what they have."""
    heldout: int
    settings: CausalLMSettings


class CausalEvaluator:
    """Evaluates models of one architecture; problems are encoded and laid out once for each split.

    Deterministic for a thread count: no sampling, fixed order, fixed batches.
    Raises InvalidSetting where a dataset cannot be loaded, NotRunnable where config, tokenizer or template cannot.
    """

    def __init__(
        self,
        architecture: CausalLM,
        folder: Path,
        measured: Measured,
        *,
        roots: Sequence[Path] = (),
        device: torch.device | str = "cpu",
        named: Mapping[str, Any] | None = None,
    ) -> None:
        """folder: of the tokenizer and its template. named: how recipes name these files, see `calibration`."""
        self.architecture = architecture
        self._device = torch.device(device)
        self._measured = measured
        settings = measured.settings
        chat = Chat(folder) if settings.chat else None
        self._text = Text(folder, begins=chat is None)
        self._posed = Posed(measured.datasets, measured.difficulty, self._text, chat, limit_of(architecture), roots)
        self._dtype = dtype_of(settings.dtype, architecture, self._device)
        self._laid_out: dict[tuple[Split, int, int], tuple[list[list[Encoded | Exam]], list[Batch]]] = {}
        self._open: tuple[Mapping[str, Tensor], Network] | None = None
        self.calibration: dict[str, Any] = {
            "datasets": list(measured.datasets),
            "difficulty": measured.difficulty,
            "problems": CALIBRATION_PROBLEMS,
            "split": Split.train.value,
            "architecture": architecture.model_dump(mode="json"),
            "tokenizer": dict(named or {}),
            "chat": settings.chat,
        }

    @property
    def problems(self) -> int:
        return self._measured.selection

    def answers(
        self,
        tensors: Mapping[str, Tensor],
        split: Literal["selection", "heldout"],
        start: int = 0,
        stop: int | None = None,
    ) -> Answers:
        """To problems start to stop of each dataset in a split. Leaves `tensors` unchanged.

        stop None: all that the split has been given; it may lie beyond them. Raises NotMeasurable where what the model
        computes is not finite, and NotRunnable where the tensors are of another architecture.
        """
        which = Split(split)
        if stop is None:
            stop = self._measured.selection if which is Split.selection else self._measured.heldout
        if (which, start, stop) not in self._laid_out:
            encoded = self._posed.problems(which, start, stop)
            self._laid_out[which, start, stop] = encoded, batches(encoded, self._measured.settings.batch_size)
        encoded, laid_out = self._laid_out[which, start, stop]
        network = self._opened(tensors)
        counts = [len(part) for part in encoded]
        dataset = np.repeat(np.arange(len(counts)), counts)
        losses, labels = np.zeros(len(dataset)), np.ones(len(dataset), dtype=np.int64)
        solved = np.zeros(len(dataset), dtype=np.bool_)
        with torch.inference_mode():
            for batch in laid_out:
                found = self._answered(network, batch.problems)
                for place, (loss, count, right) in zip(batch.places, found, strict=True):
                    if not np.isfinite(loss):
                        raise _not_finite(self._posed.names[dataset[place]])
                    losses[place], labels[place], solved[place] = loss, count, right
        size = Size(self.architecture.layers, 2.0 * sum(tensor.numel() for tensor in tensors.values()))
        return Answers(self._posed.names, size, dataset, losses, labels, solved)

    def gradient(
        self, tensors: Mapping[str, Tensor], seed: int, step: int, problems: int, ponder_cost: float
    ) -> dict[str, Tensor]:
        """Of the mean cross-entropy over training problems, every dataset counting the same; float32, on the CPU.

        ponder_cost: of no effect, since depth does not adapt. Raises NotMeasurable, and NotRunnable where transformers
        joins tensors of this family.
        """
        network = open_network(self.architecture, tensors, torch.float32, self._device)
        return descend(network, tensors, self._posed.drawn(seed, step, problems), self._device)

    def fisher(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> dict[str, Tensor]:
        """Diagonal empirical Fisher: the mean over problems of the squared gradient of a problem's mean loss.

        Float32 on one CPU thread, so that the bytes depend on nothing else.
        """
        return calibrated(diagonal, self.architecture, tensors, self._calibration(calibration))

    def grams(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> dict[str, Tensor]:
        """Σ xᵀx over the inputs of each matrix that a linear layer multiplies with; as `fisher`, on one CPU thread."""
        return calibrated(gram_matrices, self.architecture, tensors, self._calibration(calibration))

    def _calibration(self, calibration: Mapping[str, Any]) -> list[Encoded]:
        """Problems of the datasets that a recipe names, which may be fewer than those of the run."""
        encoded = self._posed.training(int(calibration["problems"]))
        wanted = list(calibration["datasets"])
        by_name = dict(zip(self._posed.names, encoded, strict=True))
        return [one for name in wanted for one in by_name[name]]

    def _opened(self, tensors: Mapping[str, Tensor]) -> Network:
        """Opened once for all blocks of problems that the same tensors answer."""
        if self._open is None or self._open[0] is not tensors:
            self._open = None
            self._open = tensors, open_network(self.architecture, tensors, self._dtype, self._device)
        return self._open[1]

    def _answered(self, network: Network, problems: Sequence[Encoded | Exam]) -> list[tuple[float, int, bool]]:
        """(loss, what it is summed over, whether it is solved) of each; all are of one kind."""
        first = problems[0]
        if isinstance(first, Exam):
            return self._examined(network, [one for one in problems if isinstance(one, Exam)])
        if isinstance(first, Passage):
            return [
                (passage_loss(network, one.tokens, self._device), len(one.tokens) - 1, False)
                for one in problems
                if isinstance(one, Passage)
            ]
        if isinstance(first, Choice):
            return self._chosen(network, [one for one in problems if isinstance(one, Choice)])
        return self._completed(network, [one for one in problems if isinstance(one, Completion)])

    def _examined(self, network: Network, exams: Sequence[Exam]) -> list[tuple[float, int, bool]]:
        from .harness.answers import answered
        from .harness.model import NetworkLM

        settings = self._measured.settings
        model = NetworkLM(
            network,
            self._text,
            limit=limit_of(self.architecture),
            batch_size=settings.batch_size,
            max_tokens=settings.max_new_tokens,
            device=self._device,
        )
        tokens = [len(self._text.parted("", one.gold)[1]) if isinstance(one.gold, str) else 1 for one in exams]
        return answered(model, exams, tokens)

    def _completed(self, network: Network, problems: Sequence[Completion]) -> list[tuple[float, int, bool]]:
        settings = self._measured.settings
        read = read_prompts(network, [one.prompt for one in problems], self._device)
        losses = answer_losses(network, read, range(len(problems)), [one.answer for one in problems])
        expected = [one.text for one in problems]
        right = says(network, read, expected, self._text, settings.stop, settings.max_new_tokens)
        return [(loss, len(one.answer), said) for one, loss, said in zip(problems, losses, right, strict=True)]

    def _chosen(self, network: Network, problems: Sequence[Choice]) -> list[tuple[float, int, bool]]:
        read = read_prompts(network, [one.prompt for one in problems], self._device)
        owners = [row for row, one in enumerate(problems) for _ in one.choices]
        every = answer_losses(network, read, owners, [choice for one in problems for choice in one.choices])
        found, rest = [], iter(every)
        for one in problems:
            losses = np.array([next(rest) for _ in one.choices])
            # of the right one among them all: −log softmax of the choices' log-likelihoods
            loss = float(losses[one.right] + np.logaddexp.reduce(-losses))
            found.append((loss, 1, int(np.argmin(losses / np.array(one.characters))) == one.right))
        return found


def dtype_of(wanted: str, architecture: CausalLM, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 where the tensors are that and the hardware multiplies it, else float32."""
    if wanted == "bf16":
        return torch.bfloat16
    able = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else _cpu_bf16()
    return torch.bfloat16 if wanted == "auto" and able and architecture.dtype == "BF16" else torch.float32


def _cpu_bf16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def limit_of(architecture: CausalLM) -> int:
    text = config_of(architecture).get_text_config()
    return min(LIMIT, int(getattr(text, "max_position_embeddings", None) or LIMIT))


def _not_finite(dataset: str) -> NotMeasurable:
    message = f"on {dataset} the loss is not finite: the model's outputs overflow, or lie too far apart"
    return NotMeasurable(Fault(kind="loss_not_finite", message=message))
