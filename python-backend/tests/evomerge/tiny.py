"""Tiny real models: residual networks that learn tables of small sums, three families of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from memory_job import MemoryJob
from torch import Tensor
from torch.nn import functional as F

from agent_forge.contract.architecture import Preset, TinyTitan
from agent_forge.contract.cognate import TaskScore
from agent_forge.contract.errors import NotMeasurable
from agent_forge.contract.evomerge import EvoMergeConfig
from agent_forge.contract.fault import Fault
from agent_forge.contract.job import ModelDraft
from agent_forge.contract.model import Model, ModelKind
from agent_forge.contract.recipe import Leaf, TrainingOrigin
from agent_forge.contract.report import EvoMergeReport, Timings
from agent_forge.evomerge.measure.report import report_of

ARCHITECTURE = TinyTitan(preset=Preset.nano, vocab_size=16, d_model=16, n_layers=3, n_heads=1, d_ff=32, window=8)
FAMILIES = {"sum": lambda a, b: (a + b) % 7, "difference": lambda a, b: (a - b) % 7, "greater": torch.maximum}
SIDE = 7
FRESH = 5
"""Selection problems of each family that no candidate is measured on."""
State = dict[str, Tensor]


def drawn(seed: int, scale: float = 0.3) -> State:
    generator = torch.Generator().manual_seed(seed)
    width, inner = ARCHITECTURE.d_model, ARCHITECTURE.d_ff
    shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (ARCHITECTURE.vocab_size, width)}
    for layer in range(ARCHITECTURE.n_layers):
        shapes[f"transformer_blocks.{layer}.linear1.weight"] = (inner, width)
        shapes[f"transformer_blocks.{layer}.linear1.bias"] = (inner,)
        shapes[f"transformer_blocks.{layer}.linear2.weight"] = (width, inner)
    shapes |= {"memory_gate.bias": (width,), "output_layer.weight": (SIDE, width), "output_layer.bias": (SIDE,)}
    return {name: torch.randn(shape, generator=generator) * scale for name, shape in shapes.items()}


def logits(
    state: Mapping[str, Tensor],
    family: int,
    a: Tensor,
    b: Tensor,
    read: Callable[[str, Tensor], None] = lambda name, inputs: None,
) -> Tensor:
    """read: called with the inputs of each matrix."""
    table = state["embedding.weight"]
    h = table[a] + table[b].roll(3, dims=-1) + table[SIDE + family] + state["memory_gate.bias"]
    for layer in range(ARCHITECTURE.n_layers):
        block = f"transformer_blocks.{layer}"
        read(f"{block}.linear1.weight", h)
        inner = F.relu(F.linear(h, state[f"{block}.linear1.weight"], state[f"{block}.linear1.bias"]))
        read(f"{block}.linear2.weight", inner)
        h = h + F.linear(inner, state[f"{block}.linear2.weight"])
    read("output_layer.weight", h)
    return F.linear(h, state["output_layer.weight"], state["output_layer.bias"])


def problems(split: str) -> tuple[Tensor, Tensor]:
    """All pairs, every other one for each split."""
    pairs = torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE))
    chosen = {"all": pairs, "selection": pairs[::2], "heldout": pairs[1::2]}[split]
    return chosen[:, 0], chosen[:, 1]


def loss_of(state: Mapping[str, Tensor], family: int, split: str) -> tuple[Tensor, Tensor]:
    """(loss, accuracy)"""
    a, b = problems(split)
    out, target = logits(state, family, a, b), list(FAMILIES.values())[family](a, b)
    return F.cross_entropy(out, target), (out.argmax(-1) == target).double().mean()


def train(state: State, shares: Sequence[float], steps: int) -> State:
    own = {name: tensor.clone().requires_grad_() for name, tensor in state.items()}
    optimizer = torch.optim.Adam(own.values(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(share * loss_of(own, family, "all")[0] for family, share in enumerate(shares)).backward()
        optimizer.step()
    return {name: tensor.detach() for name, tensor in own.items()}


@cache
def family_of_four() -> tuple[State, tuple[State, ...]]:
    """A foundation and three specialists of it."""
    foundation = train(drawn(0), [1, 1, 1], 20)
    return foundation, tuple(
        train(foundation, [1.0 if family == own else 0.1 for family in range(3)], 15) for own in range(3)
    )


@dataclass
class TinyEvaluator:
    architecture: TinyTitan = ARCHITECTURE
    evaluations: int = 0
    splits: tuple[str, ...] = ()

    @property
    def calibration(self) -> Mapping[str, Any]:
        return {"split": "all"}

    @property
    def problems(self) -> int:
        return len(problems("selection")[0]) - FRESH

    def answers(
        self, tensors: Mapping[str, Tensor], split: str, start: int = 0, stop: int | None = None
    ) -> TinyAnswers:
        if start == 0:
            self.evaluations += 1
            self.splits += (split,)
        last = stop if stop is not None else self.problems if split == "selection" else None
        losses, solved, dataset = [], [], []
        with torch.no_grad():
            for family, name in enumerate(FAMILIES):
                a, b = (side[start:last] for side in problems(split))
                out, target = logits(tensors, family, a, b), list(FAMILIES.values())[family](a, b)
                own = F.cross_entropy(out, target, reduction="none").double()
                if not bool(own.isfinite().all()):
                    raise NotMeasurable(Fault(kind="loss_not_finite", message=f"on {name} the loss is not finite"))
                losses.append(own.numpy())
                solved.append((out.argmax(-1) == target).numpy())
                dataset.append(np.full(len(own), family))
        return TinyAnswers(np.concatenate(losses), np.concatenate(solved), np.concatenate(dataset))

    def gradient(self, tensors: Mapping[str, Tensor], seed: int, step: int, problems: int, ponder_cost: float) -> State:
        own = {name: tensor.detach().clone().requires_grad_() for name, tensor in tensors.items()}
        loss = sum(loss_of(own, family, "all")[0] for family in range(len(FAMILIES))) / len(FAMILIES)
        return dict(zip(own, torch.autograd.grad(loss, list(own.values())), strict=True))

    def fisher(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> State:
        own = {name: tensor.detach().clone().requires_grad_() for name, tensor in tensors.items()}
        total = {name: torch.zeros_like(tensor) for name, tensor in own.items()}
        for family in range(len(FAMILIES)):
            gradients = torch.autograd.grad(loss_of(own, family, calibration["split"])[0], list(own.values()))
            for name, gradient in zip(own, gradients, strict=True):
                total[name] += gradient * gradient
        return total

    def grams(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> State:
        found: State = {}

        def read(name: str, inputs: Tensor) -> None:
            wide = inputs.double()
            found[name] = found.get(name, torch.zeros(())) + wide.T @ wide

        families = calibration.get("datasets", list(FAMILIES))
        with torch.no_grad():
            for family in map(list(FAMILIES).index, families):
                logits(tensors, family, *problems(calibration["split"]), read)
        return found


@dataclass
class TinyScores:
    tasks: list[TaskScore]
    mean_depth: float = 3.0
    flops_per_token: float = 1000.0


@dataclass
class TinyAnswers:
    mean_losses: npt.NDArray[np.float64]
    solved: npt.NDArray[np.bool_]
    dataset: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.solved)

    @property
    def flops_per_token(self) -> npt.NDArray[np.float64]:
        return np.full(len(self), 1000.0)

    def joined(self, later: TinyAnswers) -> TinyAnswers:
        pairs = ((getattr(self, name), getattr(later, name)) for name in ("mean_losses", "solved", "dataset"))
        return TinyAnswers(*map(np.concatenate, pairs))

    def scores(self) -> TinyScores:
        tasks = []
        for family, name in enumerate(FAMILIES):
            own = self.dataset == family
            loss = float(self.mean_losses[own].mean())
            tasks.append(
                TaskScore(
                    dataset=name,
                    problems=int(own.sum()),
                    loss=loss,
                    perplexity=math.exp(min(loss, 700.0)),
                    accuracy=float(self.solved[own].mean()),
                    mean_depth=3.0,
                )
            )
        return TinyScores(tasks)


def job_with_parents(directory: Path, run_id: str = "run", founded: bool = True) -> tuple[MemoryJob, list[str]]:
    """A job whose registry holds the foundation and its three specialists; the parents' ids."""
    foundation, specialists = family_of_four()
    job = MemoryJob(directory, run_id)

    def register(name: str, kind: ModelKind, tensors: State, initial: Leaf | None) -> Model:
        origin = TrainingOrigin(
            run_id="training", stage=name, seed=0, steps=1, architecture=ARCHITECTURE, config={}, initial=initial
        )
        return job.register(
            ModelDraft(
                name=name,
                directory="cognate/tiny",
                kind=kind,
                specialization=None,
                architecture=ARCHITECTURE,
                origin=origin,
                parents=[],
                metrics={},
            ),
            tensors,
        )

    root = register("foundation", ModelKind.foundation, foundation, None)
    initial = Leaf(model_id=root.id, digest=root.digest) if founded else None
    parents = [
        register(name, ModelKind.specialist, tensors, initial).id
        for name, tensors in zip(FAMILIES, specialists, strict=True)
    ]
    return job, parents


def tiny_evaluator(config: EvoMergeConfig, parents: Sequence[Model]) -> TinyEvaluator:
    return TinyEvaluator()


def bred(job: MemoryJob) -> list[tuple[str, str | None, float]]:
    return [(one.id, one.digest, one.fitness.total) for one in job.candidates()]


def reported(job: MemoryJob) -> EvoMergeReport:
    """What the API would answer."""
    champion_id = (job.reported.get("champion") or {}).get("id")
    return report_of(
        job.run_id,
        job.reported,
        candidates=job.candidates(),
        generations=[one for _, one in sorted(job.generations.items())],
        champion=next((one for one in job.candidates() if one.id == champion_id), None),
        champion_model_id=job.reported.get("champion_model_id"),
        cancelled=False,
        timings=Timings(total=0, parts={}),
    )
