"""One stage of training: AdamW and Muon, schedule, exact export and import of all state."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from agent_forge.contract.architecture import Architecture, Preset
from agent_forge.contract.cognate import CognateConfig

from .draws import seed_of
from .mixture import Mixture
from .model import Dropout, TinyTitan

# Learning rates fall linearly to this share of their peak.
_FINAL_RATE = 0.1
# Specialists start from trained weights. At the full rate their task vectors grow to half the foundation's norm and an
# average of them is at chance on arithmetic; at 0.3 they learn as fast, and it keeps two thirds (measured at nano).
SPECIALIST_RATE = 0.3
_ADAMW_STATE = ("step", "exp_avg", "exp_avg_sq")
_MUON_STATE = ("momentum_buffer",)


def uses_bf16(precision: str, preset: Preset, device: torch.device) -> bool:
    """`auto`: where the hardware multiplies bf16 and the preset gains. At 128 wide the casts cost what they save."""
    if precision != "auto":
        return precision == "bf16"
    if preset is Preset.nano:
        return False
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast(bf16: bool, device: torch.device) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, dtype=torch.bfloat16) if bf16 else nullcontext()


@dataclass(frozen=True)
class StepResult:
    loss: float
    """Mean cross-entropy over all labels, nats, without the ponder cost."""
    ponder: float
    """Mean of N + R over the tokens (Graves 2016)."""
    learning_rate: float
    """Of Muon, after the schedule."""
    gradient_norm: float
    """Before clipping."""
    tokens: int


class Trainer:
    """Trains one model on one mixture. Step s sees what (seed, stage, s) determines: resuming needs `steps` alone."""

    def __init__(
        self,
        arch: Architecture,
        tensors: Mapping[str, Tensor],
        config: CognateConfig,
        mixture: Mixture,
        *,
        stage: str,
        seed: int,
        total_steps: int,
        device: torch.device,
        rate_scale: float = 1.0,
    ) -> None:
        """`config` resolved; `tensors` are copied; `rate_scale` multiplies both optimizers' learning rates."""
        self.rate_scale = rate_scale
        self.config = config
        self.mixture = mixture
        self.stage = stage
        self.seed = seed
        self.total_steps = total_steps
        self.device = device
        self.steps = 0
        own = {name: t.detach().to(device, torch.float32, copy=True) for name, t in tensors.items()}
        self.model = TinyTitan(arch).bind(own).requires_grad_()
        self._bf16 = uses_bf16(config.precision, config.preset, device)
        named = dict(self.model.named_parameters())
        matrices = {n: p for n, p in named.items() if n.startswith("transformer_blocks.") and p.ndim == 2}
        others = {n: p for n, p in named.items() if n not in matrices}
        self._adamw_names, self._muon_names = list(others), list(matrices)
        groups: list[dict[str, Any]] = [
            {"params": [p for p in others.values() if p.ndim == 2]},
            # Norms and biases have no scale to decay to.
            {"params": [p for p in others.values() if p.ndim == 1], "weight_decay": 0.0},
        ]
        self._adamw = torch.optim.AdamW(
            groups,
            lr=config.adamw_learning_rate,
            betas=(0.9, 0.95),
            weight_decay=config.weight_decay,
            fused=True,
        )
        self._muon = torch.optim.Muon(matrices.values(), lr=config.muon_learning_rate, weight_decay=config.weight_decay)

    def rate(self, step: int) -> float:
        """Factor of the peak learning rates at a step: linear warm-up, then linear decay."""
        warmup = max(1, round(self.config.warmup_fraction * self.total_steps))
        if step < warmup:
            return (step + 1) / warmup
        return 1 - (1 - _FINAL_RATE) * (step - warmup) / max(1, self.total_steps - warmup)

    def step(self) -> StepResult:
        batch = self.mixture.batch(self.seed, self.stage, self.steps).to(self.device)
        factor = self.rate_scale * self.rate(self.steps)
        for optimizer, peak in (
            (self._adamw, self.config.adamw_learning_rate),
            (self._muon, self.config.muon_learning_rate),
        ):
            for group in optimizer.param_groups:
                group["lr"] = peak * factor
        dropout = None
        if self.config.dropout > 0:
            generator = torch.Generator(self.device)
            generator.manual_seed(seed_of("dropout", self.seed, self.stage, self.steps))
            dropout = Dropout(self.config.dropout, generator)
        with autocast(self._bf16, self.device):
            output = self.model(batch.tokens, batch.layout, batch.labels, dropout=dropout)
        loss = F.cross_entropy(output.logits.float(), batch.targets)
        real = batch.layout.real.count_nonzero()
        ponder = output.ponder.sum() / real
        (loss + self.config.ponder_cost * ponder).backward()
        for parameter in self.model.parameters():
            # A batch without a problem longer than the window leaves the memory gate out: its gradient is zero, and
            # the optimizers' state is complete from the first step on.
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        norm = clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        self._adamw.step()
        self._muon.step()  # type: ignore[no-untyped-call]
        self._adamw.zero_grad()
        self._muon.zero_grad()
        self.steps += 1
        return StepResult(
            loss=loss.item(),
            ponder=ponder.item(),
            learning_rate=self.config.muon_learning_rate * factor,
            gradient_norm=norm.item(),
            tokens=int(real),
        )

    def tensors(self) -> dict[str, Tensor]:
        """The model's parameters, float32, detached but not copied."""
        return {name: tensor.detach() for name, tensor in self.model.state_dict().items()}

    def export_state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that the next step depends on: flat tensors and JSON."""
        flat = {f"model.{name}": tensor for name, tensor in self.tensors().items()}
        # A parameter that no batch has reached yet (the memory gate, on short problems) has no moments.
        untouched = []
        for prefix, optimizer, keys in (("adamw", self._adamw, _ADAMW_STATE), ("muon", self._muon, _MUON_STATE)):
            for name, parameter in self._parameters(prefix):
                state = optimizer.state.get(parameter, {})
                if not state:
                    untouched.append(name)
                flat |= {f"{prefix}.{key}.{name}": state[key] for key in keys if key in state}
        return flat, {"stage": self.stage, "seed": self.seed, "steps": self.steps, "untouched": untouched}

    def import_state(self, flat: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """The inverse of `export_state`. Raises ValueError where the state is another stage's, or incomplete."""
        if (state["stage"], state["seed"]) != (self.stage, self.seed):
            raise ValueError(f"state of {state['stage']}/{state['seed']} offered to {self.stage}/{self.seed}")
        self.steps = int(state["steps"])
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(flat[f"model.{name}"])
        for prefix, optimizer, keys in (("adamw", self._adamw, _ADAMW_STATE), ("muon", self._muon, _MUON_STATE)):
            for name, parameter in self._parameters(prefix):
                found = {key: flat[f"{prefix}.{key}.{name}"] for key in keys if f"{prefix}.{key}.{name}" in flat}
                if len(found) != (0 if name in state["untouched"] else len(keys)):
                    raise ValueError(f"the state of {prefix} for {name} is incomplete")
                if found:
                    # AdamW's step counter is a CPU scalar; the rest lives beside its parameter.
                    optimizer.state[parameter] = {
                        key: tensor.clone() if key == "step" else tensor.to(self.device, copy=True)
                        for key, tensor in found.items()
                    }

    def _parameters(self, prefix: str) -> list[tuple[str, torch.nn.Parameter]]:
        named = dict(self.model.named_parameters())
        return [(name, named[name]) for name in (self._adamw_names if prefix == "adamw" else self._muon_names)]
