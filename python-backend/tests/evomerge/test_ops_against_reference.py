"""Every op against its definition, written down again entry by entry in plain Python."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm as gaussian
from torch import Tensor

from agent_forge.evomerge.ops.registry import merge_ops

Values = list[list[float]]
"""Input → entries of one flat tensor."""

SHAPE = (6, 5)
COUNT = 30


def drawn(seed: int) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


MODELS = [drawn(seed) for seed in (1, 2, 3)]
BASE = drawn(0)
FISHER = [drawn(seed).square() for seed in (11, 12, 13)]
W = [0.5, 1.25, 2.0]


def values(tensors: list[Tensor]) -> Values:
    return [[float(x) for x in tensor.flatten()] for tensor in tensors]


def task_vectors() -> Values:
    base = values([BASE])[0]
    return [[x - b for x, b in zip(model, base, strict=True)] for model in values(MODELS)]


def about_base(merged: list[float], scale: float) -> list[float]:
    return [b + scale * x for b, x in zip(values([BASE])[0], merged, strict=True)]


def uniform(op: str, purpose: Any, count: int, seed: int = 5) -> list[float]:
    """The documented stream, read as Python integers."""
    key = hashlib.sha256(f"{seed}\x1f{op}\x1foutput_layer.weight\x1f{purpose}".encode()).digest()
    words = [int.from_bytes(key[:8], "little"), int.from_bytes(key[8:16], "little")]
    raw = np.random.Philox(key=np.array(words, dtype=np.uint64)).random_raw((count + 1) // 2)
    halves = [half for word in raw for half in (int(word) & 0xFFFFFFFF, int(word) >> 32)]
    return [half / 2**32 for half in halves[:count]]


def trimmed(vectors: Values, density: float) -> Values:
    keep = math.ceil(density * COUNT)
    out = []
    for vector in vectors:
        order = sorted(range(COUNT), key=lambda i: -abs(vector[i]))
        chosen = set(order[:keep])
        out.append([x if i in chosen else 0.0 for i, x in enumerate(vector)])
    return out


def elected(vectors: Values) -> list[float]:
    merged = []
    for entry in range(COUNT):
        votes = [w * vector[entry] for w, vector in zip(W, vectors, strict=True)]
        sign = math.copysign(1, sum(votes)) if sum(votes) else 0
        agreeing = [(vote, w) for vote, w in zip(votes, W, strict=True) if vote * sign > 0]
        merged.append(sum(v for v, _ in agreeing) / sum(w for _, w in agreeing) if agreeing else 0.0)
    return merged


def summed(vectors: Values) -> list[float]:
    return [sum(w * vector[i] for w, vector in zip(W, vectors, strict=True)) for i in range(COUNT)]


def dropped(op: str, drop_rate: float) -> Values:
    return [
        [0.0 if u < drop_rate else x / (1 - drop_rate) for x, u in zip(vector, uniform(op, index, COUNT), strict=True)]
        for index, vector in enumerate(task_vectors())
    ]


def great_circle() -> list[float]:
    merged, total = values(MODELS)[0], W[0]
    for model, weight in zip(values(MODELS)[1:], W[1:], strict=True):
        t = weight / (total + weight)
        omega = math.acos(
            sum(a * b for a, b in zip(merged, model, strict=True)) / (math.hypot(*merged) * math.hypot(*model))
        )
        merged = [
            (math.sin((1 - t) * omega) * a + math.sin(t * omega) * b) / math.sin(omega)
            for a, b in zip(merged, model, strict=True)
        ]
        total += weight
    return merged


def by_row(temperature: float) -> list[float]:
    out = []
    for row in range(SHAPE[0]):
        span = range(row * SHAPE[1], (row + 1) * SHAPE[1])
        means = [statistics.fmean(f[i] for i in span) for f in values(FISHER)]
        powers = [w * mean ** (1 / temperature) for w, mean in zip(W, means, strict=True)]
        out += [sum(p / sum(powers) * m[i] for p, m in zip(powers, values(MODELS), strict=True)) for i in span]
    return out


def mutated(rate: float, sigma: float) -> list[float]:
    (model,) = values(MODELS[:1])
    spread = sigma * statistics.pstdev(model)
    which = uniform("mutate", "which", COUNT)
    chosen = [i for i in range(COUNT) if which[i] < rate]
    noise = uniform("mutate", "noise", len(chosen))
    for i, u in zip(chosen, noise, strict=True):
        model[i] += spread * float(gaussian.ppf(u + 2**-33))
    return model


REFERENCES: dict[str, tuple[dict[str, Any], Callable[[], list[float]]]] = {
    "linear": (
        {"weights": W},
        lambda: [sum(w * m[i] for w, m in zip(W, values(MODELS), strict=True)) / sum(W) for i in range(COUNT)],
    ),
    "slerp": ({"weights": W}, great_circle),
    "task_arithmetic": ({"weights": W, "scale": 0.7}, lambda: about_base(summed(task_vectors()), 0.7)),
    "ties": (
        {"weights": W, "density": 0.3, "scale": 1.5},
        lambda: about_base(elected(trimmed(task_vectors(), 0.3)), 1.5),
    ),
    "dare_linear": (
        {"weights": W, "drop_rate": 0.4, "scale": 0.7},
        lambda: about_base(summed(dropped("dare_linear", 0.4)), 0.7),
    ),
    "dare_ties": (
        {"weights": W, "drop_rate": 0.6, "scale": 1.3},
        lambda: about_base(elected(dropped("dare_ties", 0.6)), 1.3),
    ),
    "fisher": (
        {"weights": W},
        lambda: [
            sum(w * f[i] * m[i] for w, f, m in zip(W, values(FISHER), values(MODELS), strict=True))
            / sum(w * f[i] for w, f in zip(W, values(FISHER), strict=True))
            for i in range(COUNT)
        ],
    ),
    "dfs": ({"weights": W, "temperature": 0.5}, lambda: by_row(0.5)),
    "mutate": ({"rate": 0.5, "sigma": 0.3}, lambda: mutated(0.5, 0.3)),
    "frankenmerge": ({"output_source": 2}, lambda: values(MODELS)[2]),
}


@pytest.mark.parametrize("name", sorted(merge_ops()))
def test_reference(name: str) -> None:
    op = merge_ops()[name]
    settings, reference = REFERENCES[name]
    inputs = MODELS[: op.inputs.most]
    merged = op(
        [{"output_layer.weight": tensor} for tensor in inputs],
        base={"output_layer.weight": BASE} if "base" in op.needs else None,
        fisher=[{"output_layer.weight": tensor} for tensor in FISHER] if "fisher" in op.needs else None,
        seed=5,
        **settings,
    )["output_layer.weight"]
    torch.testing.assert_close(merged, torch.tensor(reference()).reshape(SHAPE), rtol=2e-6, atol=2e-6)
