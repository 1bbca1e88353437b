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
from evomerge.ops.plain_philox import philox4x32
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
READ = [drawn(seed).numpy().astype(float) for seed in (21, 22, 23)]
"""What the models' matrices read, as rows."""
W = [0.5, 1.25, 2.0]


def values(tensors: list[Tensor]) -> Values:
    return [[float(x) for x in tensor.flatten()] for tensor in tensors]


def task_vectors() -> Values:
    base = values([BASE])[0]
    return [[x - b for x, b in zip(model, base, strict=True)] for model in values(MODELS)]


def about_base(merged: list[float], scale: float) -> list[float]:
    return [b + scale * x for b, x in zip(values([BASE])[0], merged, strict=True)]


def stream(op: str, purpose: Any, seed: int = 5) -> list[list[int]]:
    """The four words of each of the first 64 counters of the documented stream."""
    key = hashlib.sha256(f"{seed}\x1f{op}\x1foutput_layer.weight\x1f{purpose}".encode()).digest()
    parts = int.from_bytes(key[:4], "little"), int.from_bytes(key[4:8], "little")
    return [philox4x32(parts, counter) for counter in range(64)]


def uniform(op: str, purpose: Any, count: int) -> list[float]:
    words = [words[0] for words in stream(op, purpose)]
    return [half / 2**16 for word in words for half in (word & 0xFFFF, word >> 16)][:count]


def trimmed(vectors: Values, density: float) -> Values:
    keep = int(density * COUNT)
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


def pruned(op: str, drop_rate: float, epsilon: float) -> Values:
    out = []
    for index, vector in enumerate(task_vectors()):
        drawn_ = uniform(op, index, COUNT)
        kept = [0.0] * COUNT
        for row in range(SHAPE[0]):
            span = range(row * SHAPE[1], (row + 1) * SHAPE[1])
            for rank, i in enumerate(sorted(span, key=lambda i: abs(vector[i]))):
                keep = 1 - drop_rate - epsilon + 2 * epsilon * rank / (SHAPE[1] - 1)
                kept[i] = vector[i] / keep if drawn_[i] < keep else 0.0
        out.append(kept)
    return out


def shared_or_unique(epsilon: float) -> list[float]:
    merged = []
    for column in zip(*task_vectors(), strict=True):
        changed = [x for x in column if abs(x) > epsilon]
        merged.append(sum(changed) / len(changed) if changed else 0.0)
    return merged


def reinforced(epsilon: float, r: float, alpha: float) -> list[float]:
    columns = list(zip(*task_vectors(), strict=True))
    changed = [[model for model in range(3) if abs(column[model]) > epsilon] for column in columns]
    factors = []
    for model in range(3):
        shared = sum(model in who and len(who) > 1 for who in changed)
        unique = sum(who == [model] for who in changed)
        factors.append(1 + r * min(shared / unique, alpha))
    assert min(factors) < max(factors) == 1 + r * alpha, "α bounds some ratio, not all"
    merged = []
    for column, who in zip(columns, changed, strict=True):
        moved = [column[model] for model in who]
        merged.append(moved[0] * factors[who[0]] if len(who) == 1 else sum(moved) / max(1, len(who)))
    return merged


def fused() -> list[float]:
    model, base, (vector, *_) = values(MODELS)[0], values([BASE])[0], task_vectors()
    scores = []
    for row in range(SHAPE[0]):
        span = range(row * SHAPE[1], (row + 1) * SHAPE[1])
        p = [math.exp(model[i]) / sum(math.exp(model[j]) for j in span) + 1e-8 for i in span]
        q = [math.exp(base[i]) / sum(math.exp(base[j]) for j in span) + 1e-8 for i in span]
        divergence = sum(x * math.log(x / y) for x, y in zip(p, q, strict=True))
        scores += [abs(vector[i]) * divergence for i in span]
    ordered = sorted(scores)
    first, middle, third = (ordered[int(share * (COUNT - 1))] for share in (0.25, 0.5, 0.75))
    threshold = middle + 1.5 * (third - first)
    assert 0 < sum(score >= threshold for score in scores) < COUNT
    return [b + x if score >= threshold else b for b, x, score in zip(base, vector, scores, strict=True)]


def great_circle(count: int = 3) -> list[float]:
    merged, total = values(MODELS)[0], W[0]
    for model, weight in zip(values(MODELS)[1:count], W[1:count], strict=True):
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


def regression(shrinkage: float) -> list[float]:
    total, products = np.zeros((5, 5)), np.zeros(SHAPE)
    for model, read in zip(MODELS, READ, strict=True):
        gram = np.array([[sum(x[i] * x[j] for x in read) for j in range(5)] for i in range(5)])
        gram *= np.where(np.eye(5) > 0, 1, shrinkage)
        total += gram
        products += model.numpy() @ gram
    ridge = 1e-6 * np.diagonal(total).mean()
    total += ridge * np.eye(5)
    products += ridge * sum(model.numpy() for model in MODELS) / 3
    return [float(x) for x in np.linalg.solve(total, products.T).T.flatten()]


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
    noise = [words[0] / 2**32 for words in stream("mutate", "noise")[:COUNT]]
    for i in chosen:
        model[i] += spread * float(gaussian.ppf(noise[i] + 2**-33))
    return model


def banded(vectors: Values, density: float, gamma: float) -> Values:
    top, keep = int(gamma * COUNT), int(density * COUNT)
    out = []
    for vector in vectors:
        order = sorted(range(COUNT), key=lambda i: -abs(vector[i]))
        chosen = set(order[top : top + keep])
        out.append([x if i in chosen else 0.0 for i, x in enumerate(vector)])
    return out


def scaled(vector: list[float], factor: float) -> list[float]:
    return [factor * x for x in vector]


def plus(*vectors: list[float]) -> list[float]:
    return [sum(column) for column in zip(*vectors, strict=True)]


def mean_norm() -> float:
    return sum(w * math.hypot(*m) for w, m in zip(W, values(MODELS), strict=True)) / sum(W)


def directions() -> Values:
    return [scaled(m, 1 / math.hypot(*m)) for m in values(MODELS)]


def barycentre() -> list[float]:
    """With the tangent step that the op leaves out."""
    share = [w / sum(W) for w in W]
    mean = plus(*(scaled(u, s) for u, s in zip(directions(), share, strict=True)))
    mean = scaled(mean, 1 / math.hypot(*mean))
    tangents = [plus(u, scaled(mean, -sum(a * b for a, b in zip(u, mean, strict=True)))) for u in directions()]
    step = plus(*(scaled(v, s) for v, s in zip(tangents, share, strict=True)))
    size = math.hypot(*step) + 1e-12
    return scaled(plus(scaled(mean, math.cos(size)), scaled(step, math.sin(size) / size)), mean_norm())


def riemannian_mean() -> list[float]:
    """By gradient descent on the sphere with small steps, to convergence."""
    share = [w / sum(W) for w in W]
    point = directions()[0]
    for _ in range(400):
        step = [0.0] * COUNT
        for u, s in zip(directions(), share, strict=True):
            cosine = sum(a * b for a, b in zip(u, point, strict=True))
            angle = math.acos(max(-1.0, min(1.0, cosine)))
            if angle > 1e-12:
                step = plus(step, scaled(plus(u, scaled(point, -cosine)), s * angle / math.sin(angle)))
        point = plus(point, scaled(step, 0.3))
        point = scaled(point, 1 / math.hypot(*point))
    return scaled(point, mean_norm())


def stock() -> list[float]:
    vectors = task_vectors()
    cosines = []
    for i in range(3):
        for j in range(i):
            product = sum(a * b for a, b in zip(vectors[i], vectors[j], strict=True))
            cosines.append(product / math.hypot(*vectors[i]) / math.hypot(*vectors[j]))
    cosine = sum(cosines) / 3
    t = 3 * cosine / (1 + 2 * cosine)
    return about_base([sum(vector[i] for vector in vectors) / 3 for i in range(COUNT)], t)


def selected_and_erased(share: float) -> list[float]:
    vectors = task_vectors()
    spread = [statistics.pvariance([vector[i] for vector in vectors]) for i in range(COUNT)]
    chosen = sorted(range(COUNT), key=lambda i: -spread[i])[: int(share * COUNT)]
    strength = [sum(vector[i] ** 2 for i in chosen) for vector in vectors]
    merged = [0.0] * COUNT
    for i in chosen:
        sign = sum(vector[i] for vector in vectors) > 0
        agreeing = [(s, vector[i]) for s, vector in zip(strength, vectors, strict=True) if (vector[i] > 0) == sign]
        merged[i] = sum(s * x for s, x in agreeing) / sum(s for s, _ in agreeing)
    return merged


def decoupled(time: float) -> list[list[float]]:
    """Of each model, by eigenvectors; n as the docstring has it."""
    vectors = [np.reshape(vector, SHAPE) for vector in task_vectors()]
    shares = [1 / (vector**2).sum() for vector in vectors]
    e, v = np.linalg.eigh(sum(share * vector.T @ vector for share, vector in zip(shares, vectors, strict=True)))
    n = 2 ** math.ceil(math.log2(time * len(vectors)))
    f = 1 - (1 - time * e / n) ** n
    return [
        (tau @ (np.eye(len(e)) - v * f @ v.T) + share * tau @ tau.T @ tau @ (v * (f / e)) @ v.T).reshape(-1).tolist()
        for share, tau in zip(shares, vectors, strict=True)
    ]


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
    "della": (
        {"weights": W, "drop_rate": 0.5, "epsilon": 0.2, "scale": 0.9},
        lambda: about_base(elected(pruned("della", 0.5, 0.2)), 0.9),
    ),
    "della_linear": (
        {"weights": W, "drop_rate": 0.3, "epsilon": 0.1, "scale": 1.1},
        lambda: about_base(summed(pruned("della_linear", 0.3, 0.1)), 1.1),
    ),
    "ram": ({"epsilon": 0.7, "scale": 0.9}, lambda: about_base(shared_or_unique(0.7), 0.9)),
    "ram_plus": (
        {"epsilon": 0.9, "r": 0.4, "alpha": 2.5, "scale": 0.9},
        lambda: about_base(reinforced(0.9, 0.4, 2.5), 0.9),
    ),
    "arcee_fusion": ({}, fused),
    "fisher": (
        {"weights": W},
        lambda: [
            sum(w * f[i] * m[i] for w, f, m in zip(W, values(FISHER), values(MODELS), strict=True))
            / sum(w * f[i] for w, f in zip(W, values(FISHER), strict=True))
            for i in range(COUNT)
        ],
    ),
    "regmean": ({"shrinkage": 0.7}, lambda: regression(0.7)),
    "regmean_plus_plus": ({"shrinkage": 1.0}, lambda: regression(1.0)),
    "dfs": ({"weights": W, "temperature": 0.5}, lambda: by_row(0.5)),
    "nuslerp": ({"weights": W[:2]}, lambda: great_circle(2)),
    "multislerp": ({"weights": W}, barycentre),
    "karcher": ({"weights": W, "iterations": 100, "tolerance": 1e-9}, riemannian_mean),
    "model_stock": ({}, stock),
    "breadcrumbs": (
        {"weights": W, "density": 0.5, "gamma": 0.1, "scale": 0.7},
        lambda: about_base(summed(banded(task_vectors(), 0.5, 0.1)), 0.7),
    ),
    "breadcrumbs_ties": (
        {"weights": W, "density": 0.5, "gamma": 0.1, "scale": 1.4},
        lambda: about_base(elected(banded(task_vectors(), 0.5, 0.1)), 1.4),
    ),
    "nearswap": (
        {"t": 0.4},
        lambda: about_base([x * min(1, 0.4 / abs(x)) for x in task_vectors()[0]], 1),
    ),
    "decouple": ({"index": 1, "time": 7.0}, lambda: about_base(decoupled(7.0)[1], 1)),
    "swudi": (
        {"time": 20.0, "scale": 0.6},
        lambda: about_base([sum(parts) for parts in zip(*decoupled(20.0), strict=True)], 0.6),
    ),
    "sce": ({"selected": 0.6, "scale": 0.8}, lambda: about_base(selected_and_erased(0.6), 0.8)),
    "mutate": ({"rate": 0.5, "sigma": 0.3}, lambda: mutated(0.5, 0.3)),
    # of one tensor no symmetry is complete; test_align.py has whole models
    "cast": ({"dtype": "float32"}, lambda: values(MODELS)[0]),
    "scale": ({"factor": -1.7}, lambda: [-1.7 * x for x in values(MODELS)[0]]),
    "align": ({}, lambda: values(MODELS)[0]),
    # with adapters: test_lora.py
    "lora": ({}, lambda: values(MODELS)[0]),
    # with vocabularies: test_align_vocabulary.py
    "align_vocabulary": ({"index": 1}, lambda: values(MODELS)[1]),
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
        grams=lambda index, _: {"output_layer.weight": torch.from_numpy(READ[index].T @ READ[index])},
        seed=5,
        **settings,
    )["output_layer.weight"]
    torch.testing.assert_close(merged, torch.tensor(reference()).reshape(SHAPE), rtol=2e-6, atol=2e-6)
