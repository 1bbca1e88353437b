"""One stage of training: AdamW and Muon, schedule, exact export and import of all state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from ..contract.architecture import Preset, TinyTitan
from ..contract.cognate import CognateConfig
from .answers import answer_loss
from .draws import seed_of
from .errors import TrainingDiverged
from .mixture import Lesson, Mixture
from .model import Dropout, TinyTitanModel
from .muon import Muon

# Learning rates fall linearly to this share of their peak.
_FINAL_RATE = 0.1


@dataclass(frozen=True)
class Regime:
    """How one kind of stage is optimized."""

    muon: bool
    """Whether Muon trains the matrices of the blocks; else AdamW trains everything."""
    rate: float
    """Multiplies the configured learning rates."""


FROM_SCRATCH = Regime(muon=True, rate=1.0)


SPECIALISING = Regime(muon=False, rate=0.2)
"""At higher rates, and by Muon, whose every direction moves alike, task vectors grow so long that sums of them
are at chance."""

_ADAMW_STATE = ("step", "exp_avg", "exp_avg_sq")
_MUON_STATE = ("momentum_buffer",)


def uses_bf16(precision: str, preset: Preset, device: torch.device) -> bool:
    """`auto`: where the hardware multiplies bf16 and the preset gains. At 128 wide the casts cost what they save."""
    if precision != "auto":
        return precision == "bf16"
    return preset is not Preset.nano and multiplies_bf16(device)


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the hardware does. A CPU that has to emulate it is a hundred times slower than in fp32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast(bf16: bool, device: torch.device) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, dtype=torch.bfloat16) if bf16 else nullcontext()


def for_reading(tensors: Mapping[str, Tensor], bf16: bool) -> dict[str, Tensor]:
    """A model that is read and not trained: the matrices that autocast would cast again at every call, cast once."""
    return {
        name: tensor.to(torch.bfloat16) if bf16 and tensor.ndim == 2 and name != "embedding.weight" else tensor
        for name, tensor in tensors.items()
    }


@dataclass(frozen=True)
class StepResult:
    loss: float
    """Mean over all labels, nats, without the ponder cost: cross-entropy, or divergence where they are rehearsed."""
    ponder: float
    """Mean of N + R over the tokens (Graves 2016)."""
    learning_rate: float
    """Of Muon, or of AdamW where it trains everything, after the schedule."""
    gradient_norm: float
    """Before clipping."""
    tokens: int


@dataclass(frozen=True)
class _Optimizer:
    prefix: str
    """Of its state's names in a checkpoint."""
    optimizer: torch.optim.Optimizer
    peak: float
    """Learning rate at the top of the schedule, before the regime's factor."""
    keys: tuple[str, ...]
    parameters: Mapping[str, torch.nn.Parameter]


class Trainer:
    """Trains one model on one mixture. Step s sees what (seed, stage, s) determines: resuming needs `steps` alone."""

    def __init__(
        self,
        arch: TinyTitan,
        tensors: Mapping[str, Tensor],
        config: CognateConfig,
        mixture: Mixture,
        *,
        stage: str,
        seed: int,
        total_steps: int,
        device: torch.device,
        ponder_cost: float = 0.0,
        regime: Regime = FROM_SCRATCH,
        teacher: Mapping[str, Tensor] | None = None,
        model: type[TinyTitanModel] = TinyTitanModel,
    ) -> None:
        """`config` resolved; `tensors` are copied. `teacher`: of the same shapes, left unchanged; what it says to
        the problems that the mixture rehearses is kept (Li & Hoiem 2016, Learning without Forgetting). `model`: what
        the tensors are bound to; benchmarks train a peer."""
        self.regime = regime
        self.ponder_cost = ponder_cost
        self.config = config
        self.mixture = mixture
        self.stage = stage
        self.seed = seed
        self.total_steps = total_steps
        self.device = device
        self.steps = 0
        own = {name: t.detach().to(device, torch.float32, copy=True) for name, t in tensors.items()}
        self.model = model(arch).bind(own).requires_grad_()
        self._bf16 = uses_bf16(config.precision, config.preset, device)
        self._teacher = None
        if teacher is not None:
            kept = {name: tensor.to(device, torch.float32) for name, tensor in teacher.items()}
            self._teacher = model(arch).bind(for_reading(kept, self._bf16)).requires_grad_(False)
        named = dict(self.model.named_parameters())
        matrices = {
            n: p for n, p in named.items() if regime.muon and n.startswith("transformer_blocks.") and p.ndim == 2
        }
        others = {n: p for n, p in named.items() if n not in matrices}
        groups: list[dict[str, Any]] = [
            {"params": [p for p in others.values() if p.ndim == 2]},
            # Norms and biases have no scale to decay to.
            {"params": [p for p in others.values() if p.ndim == 1], "weight_decay": 0.0},
        ]
        adamw = torch.optim.AdamW(
            groups,
            lr=config.adamw_learning_rate,
            betas=(0.9, 0.95),
            weight_decay=config.weight_decay,
            fused=True,
        )
        self._optimizers = [_Optimizer("adamw", adamw, config.adamw_learning_rate, _ADAMW_STATE, others)]
        if matrices:
            muon = Muon(
                matrices.values(),
                lr=config.muon_learning_rate,
                weight_decay=config.weight_decay,
                dtype=torch.bfloat16 if multiplies_bf16(device) else torch.float32,
            )
            self._optimizers.append(_Optimizer("muon", muon, config.muon_learning_rate, _MUON_STATE, matrices))

    def rate(self, step: int) -> float:
        """Factor of the peak learning rates at a step: linear warm-up, then linear decay."""
        warmup = max(1, round(self.config.warmup_fraction * self.total_steps))
        if step < warmup:
            return (step + 1) / warmup
        return 1 - (1 - _FINAL_RATE) * (step - warmup) / max(1, self.total_steps - warmup)

    def step(self) -> StepResult:
        """Raises TrainingDiverged, before the parameters change, where the loss or its gradient is not finite."""
        lesson = self.mixture.lesson(self.seed, self.stage, self.steps)
        batch = lesson.batch.to(self.device)
        factor = self.regime.rate * self.rate(self.steps)
        for one in self._optimizers:
            for group in one.optimizer.param_groups:
                group["lr"] = one.peak * factor
        dropout = None
        if self.config.dropout > 0:
            generator = torch.Generator(self.device)
            generator.manual_seed(seed_of("dropout", self.seed, self.stage, self.steps))
            dropout = Dropout(self.config.dropout, generator)
        with autocast(self._bf16, self.device):
            reading = self.model.read(batch.tokens, batch.layout, batch.labels, dropout=dropout)
        loss = self._loss(reading.states, batch.targets, lesson)
        real = batch.layout.real.count_nonzero()
        ponder = reading.ponder.sum() / real
        torch.autograd.backward(loss + self.ponder_cost * ponder)
        for parameter in self.model.parameters():
            # A batch without a problem longer than the window leaves the memory gate out: its gradient is zero, and
            # the optimizers' state is complete from the first step on.
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        norm = clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        measured = {"loss": loss.item(), "ponder cost": ponder.item(), "norm of the gradient": norm.item()}
        for name, value in measured.items():
            if not math.isfinite(value):
                raise self.diverged(self.steps + 1, f"the {name} is {value}, not a finite number")
        for one in self._optimizers:
            one.optimizer.step()
            one.optimizer.zero_grad()
        self.steps += 1
        return StepResult(
            loss=measured["loss"],
            ponder=measured["ponder cost"],
            learning_rate=self._optimizers[-1].peak * factor,
            gradient_norm=measured["norm of the gradient"],
            tokens=int(real),
        )

    def diverged(self, step: int, what: str) -> TrainingDiverged:
        return TrainingDiverged(self.stage, step, self.total_steps, what)

    def _loss(self, states: Tensor, targets: Tensor, lesson: Lesson) -> Tensor:
        taught = None
        if self._teacher is not None and lesson.rehearsal is not None:
            old = lesson.rehearsal.to(self.device)
            with torch.no_grad(), autocast(self._bf16, self.device):
                taught = self._teacher(old.tokens, old.layout, old.labels).logits
            targets = targets[: lesson.learned]
        dtype = torch.bfloat16 if self._bf16 else torch.float32
        return answer_loss(states, self.model.output_layer, targets, taught, dtype=dtype)

    def tensors(self) -> dict[str, Tensor]:
        """The model's parameters, float32, detached but not copied."""
        return {name: tensor.detach() for name, tensor in self.model.state_dict().items()}

    def export_state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that the next step depends on: flat tensors and JSON."""
        flat = {f"model.{name}": tensor for name, tensor in self.tensors().items()}
        # A parameter that no batch has reached yet (the memory gate, on short problems) has no moments.
        untouched = []
        for one in self._optimizers:
            for name, parameter in one.parameters.items():
                state = one.optimizer.state.get(parameter, {})
                if not state:
                    untouched.append(name)
                flat |= {f"{one.prefix}.{key}.{name}": state[key] for key in one.keys if key in state}
        return flat, {"stage": self.stage, "seed": self.seed, "steps": self.steps, "untouched": untouched}

    def import_state(self, flat: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """The inverse of `export_state`. Raises ValueError where the state is another stage's, or incomplete."""
        if (state["stage"], state["seed"]) != (self.stage, self.seed):
            raise ValueError(f"state of {state['stage']}/{state['seed']} offered to {self.stage}/{self.seed}")
        self.steps = int(state["steps"])
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(flat[f"model.{name}"])
        for one in self._optimizers:
            for name, parameter in one.parameters.items():
                keyed = {key: f"{one.prefix}.{key}.{name}" for key in one.keys}
                found = {key: flat[full] for key, full in keyed.items() if full in flat}
                if len(found) != (0 if name in state["untouched"] else len(keyed)):
                    raise ValueError(f"the state of {one.prefix} for {name} is incomplete")
                if found:
                    # AdamW's step counter is a CPU scalar; the rest lives beside its parameter.
                    one.optimizer.state[parameter] = {
                        key: tensor.clone() if key == "step" else tensor.to(self.device, copy=True)
                        for key, tensor in found.items()
                    }
