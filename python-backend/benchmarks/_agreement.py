"""Whether a merge is mergekit's, entry by entry; of random ones, whether it is in the mean.

An entry of a deterministic op agrees where it differs by at most `TOLERANCE` of its tensor's largest entry. Where the
definitions differ (see agent_forge/evomerge/ops/README.md), the entries that this can change are worked out from
the inputs, apart from both merges; only those may differ, and are counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from agent_forge.evomerge.ops.registry import merge_op_named

TOLERANCE = 1e-6
_SAMPLED = 1_000_000
"""Entries of a larger tensor that mergekit draws to find quantiles."""
ERRORS = 5.0
"""Standard errors of the difference that two random merges' statistics may lie apart."""

State = Mapping[str, Tensor]
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Agreement:
    passed: bool
    said: str


@dataclass(frozen=True)
class Excuse:
    """Entries that differ by definition."""

    reason: str
    entries: Callable[[Sequence[Tensor], Tensor, Settings], Tensor]
    """(models' tensors, base's tensor, settings) → mask."""


def _deltas(models: Sequence[Tensor], base: Tensor) -> list[Tensor]:
    return [model - base for model in models]


def _band_edges(models: Sequence[Tensor], base: Tensor, settings: Settings) -> Tensor:
    """Entries whose magnitude is that of the smallest or largest entry that is kept or of their neighbours beyond."""
    at_edge = torch.zeros_like(base, dtype=torch.bool)
    count = base.numel()
    kept = int(settings["density"] * count)
    large = min(int(settings.get("gamma", 0.0) * count), count - kept)
    for delta in _deltas(models, base):
        size = delta.abs()
        ordered = size.reshape(-1).sort(descending=True).values
        for rank in (large - 1, large, large + kept - 1, large + kept):
            if 0 <= rank < count:
                tied = size == ordered[rank]
                if int(tied.sum()) > 1 or kept == 0:
                    at_edge |= tied
    return at_edge


def _variance_edge(models: Sequence[Tensor], base: Tensor, settings: Settings) -> Tensor:
    stacked = torch.stack([delta.double() for delta in _deltas(models, base)])
    spread = stacked.var(dim=0, unbiased=False)
    kept = int(settings["selected"] * int(spread.count_nonzero()))
    if kept == 0:
        return torch.ones_like(base, dtype=torch.bool)
    last = spread.reshape(-1).topk(kept).values[-1]
    if int(((spread / last - 1).abs() < 1e-12).sum()) > 1:
        # how many of them are selected is in the weights of the models, and so in every entry
        return torch.ones_like(base, dtype=torch.bool)
    return ((spread / last - 1).abs() < 1e-5) | (stacked.sum(dim=0) == 0)


def _opposed(models: Sequence[Tensor], base: Tensor, settings: Settings) -> Tensor:
    """All of a tensor whose task vectors point apart on average, or are very short."""
    flat = [delta.reshape(-1).double() for delta in _deltas(models, base)]
    cosines = [float(F.cosine_similarity(a, b, dim=0)) for a, b in combinations(flat, 2)]
    short = any(float(a.norm() * b.norm()) < 1e-6 for a, b in combinations(flat, 2))
    return torch.full_like(base, sum(cosines) < 0 or short, dtype=torch.bool)


def _threshold(models: Sequence[Tensor], base: Tensor, settings: Settings) -> Tensor:
    """Entries at the threshold; of a large tensor, those within what its quantiles may be off in a sample of a
    million."""
    (model,) = models
    p, q = (tensor.double().softmax(-1) + 1e-8 for tensor in (model, base))
    importance = (model - base).double().abs() * (p * (p / q).log()).sum(-1, keepdim=True)
    ordered = importance.reshape(-1).sort().values
    error = ERRORS / math.sqrt(_SAMPLED) if len(ordered) > _SAMPLED else 0.0

    def quantile(share: float, errors: float) -> float:
        off = errors * math.sqrt(share * (1 - share))
        return float(ordered[int((share + off) * (len(ordered) - 1))])

    low, high = (quantile(0.5, side) + 1.5 * (quantile(0.75, side) - quantile(0.25, -side)) for side in (-error, error))
    return (importance > low * (1 - 1e-5)) & (importance < high * (1 + 1e-5))


_TIES = Excuse(
    "entries tie at the edge of what is kept: mergekit keeps some of them, by the order of its sort", _band_edges
)
EXCUSES = {
    "ties": _TIES,
    "breadcrumbs": _TIES,
    "breadcrumbs_ties": _TIES,
    "sce": Excuse(
        "positions whose variance is the last selected one's, to float32, or whose sum is 0, where mergekit elects +",
        _variance_edge,
    ),
    "model_stock": Excuse(
        "task vectors point apart: mergekit's ratio leaves [0, 1], ours is 0; or mergekit counts the product of their "
        "lengths as 1e-6",
        _opposed,
    ),
    "arcee_fusion": Excuse(
        "importance is the threshold, to float32, or within five standard errors of mergekit's, which is that of a "
        "random million of the entries",
        _threshold,
    ),
}


def definition(method: str, models: Sequence[Tensor], base: Tensor, settings: Settings) -> Tensor:
    """Mask of the entries that may differ from mergekit's by definition; float64 tensors."""
    excuse = EXCUSES.get(method)
    differing = torch.zeros_like(base, dtype=torch.bool) if excuse is None else excuse.entries(models, base, settings)
    if "weights" in settings and method in ELECTED:
        differing |= _tied_vote(models, base, settings)
    return differing


def ram_plus_with_rounded_ratio(models: Sequence[Tensor], base: Tensor, settings: Settings) -> Tensor:
    """RAM+ in float64 but for the ratio of its counts, which torch divides in float32; mergekit's arithmetic."""
    deltas = torch.stack(_deltas(models, base)).reshape(len(models), -1)
    changed = deltas.abs() > settings["epsilon"]
    count = changed.sum(0)
    alone, shared = changed & (count == 1), changed & (count > 1)
    ratio = shared.sum(1) / alone.sum(1).clamp_min(settings["epsilon"])
    factor = 1 + settings["r"] * ratio.clamp(0, settings["alpha"])
    merged = (deltas * alone * factor[:, None] + deltas * shared / count.clamp_min(1)).sum(0)
    return base + merged.reshape(base.shape)


def _tied_vote(models: Sequence[Tensor], base: Tensor, settings: Settings) -> Tensor:
    """Entries whose weighted sum is 0 but for rounding: mergekit elects + there, ours no sign."""
    total, size = torch.zeros_like(base), torch.zeros_like(base)
    for delta, weight in zip(_deltas(models, base), settings["weights"], strict=True):
        rank = delta.abs().reshape(-1).argsort(descending=True).argsort().reshape(delta.shape)
        count = delta.numel()
        kept = max(1, int(settings["density"] * count))
        above = min(int(settings.get("gamma", 0.0) * count), count - kept)
        part = weight * delta * ((rank >= above) & (rank < above + kept))
        total, size = total + part, size + part.abs()
    return (total.abs() <= 1e-12 * size) & (size > 0)


_SUMS = "in float64: mergekit sums the products of millions of entries in float32"
DOUBLE = {
    "arcee_fusion": "in float64: in float32 mergekit loses the divergence of near models",
    "karcher": _SUMS,
    "model_stock": _SUMS,
    "multislerp": _SUMS,
    "nuslerp": _SUMS,
    "ram_plus": "in float64: in float32 differences near ε fall on either side",
    "sce": "in float64: in float32 sums near 0 take either sign",
    "slerp": _SUMS,
}
"""Ops that are compared on float64 tensors, and why."""
ELECTED = ("ties", "breadcrumbs_ties", "dare_ties", "della")
"""Ops that elect a sign."""
RANDOM = ("dare_linear", "dare_ties", "della_linear", "della")


def deterministic(
    name: str, ours: State, theirs: State, models: Sequence[State], base: State, settings: Settings
) -> Agreement:
    excuse = EXCUSES.get(name)
    worst, plain, excused = 0.0, 0.0, 0
    for key, tensor in ours.items():
        relative = (tensor - theirs[key]).abs() / tensor.abs().max().clamp_min(1e-12)
        worst = max(worst, float(relative.max()))
        if excuse is not None and bool((relative > TOLERANCE).any()):
            allowed = excuse.entries([model[key] for model in models], base[key], settings)
            excused += int((allowed & (relative > TOLERANCE)).sum())
            relative = relative.masked_fill(allowed, 0.0)
        plain = max(plain, float(relative.max()))
    parts = [f"largest difference {plain:.1e}"]
    if excused and excuse is not None:
        count = sum(tensor.numel() for tensor in ours.values())
        parts.append(f"but for {excused:,} of {count:,} entries (up to {worst:.1e}): {excuse.reason}")
    if name in DOUBLE:
        parts.append(DOUBLE[name])
    return Agreement(plain <= TOLERANCE, "; ".join(parts))


@dataclass(frozen=True)
class Statistic:
    name: str
    value: float
    error: float


def statistics(merged: State, base: State, expected: State) -> Iterator[Statistic]:
    """expected: the merge without dropping."""
    moved, full = (
        torch.cat([(model[key].double() - origin.double()).reshape(-1) for key, origin in base.items()])
        for model in (merged, expected)
    )
    count = len(moved)
    left = float((moved == 0).double().mean())
    yield Statistic("left at the base", left, math.sqrt(left * (1 - left) / count))
    slope = float(moved @ full / (full @ full))
    yield Statistic(
        "mean change", slope, float((full.square() * (moved - slope * full).square()).sum().sqrt() / (full @ full))
    )
    yield Statistic("mean square", float(moved.square().mean()), float(moved.square().std() / math.sqrt(count)))


def random(
    name: str, ours: State, theirs: State, models: Sequence[State], base: State, settings: Settings
) -> Agreement:
    op = merge_op_named(name)
    expected = op(models, base=base, **(dict(settings) | {"drop_rate": 0}))
    passed, parts = True, []
    if name.startswith("della"):
        slope = list(statistics(ours, base, expected))[1]
        if name == "della_linear":
            passed = abs(slope.value - 1) <= ERRORS * slope.error
        parts.append(
            f"divided by each entry's own probability: mean change {slope.value:.4f}; rescaled as mergekit does:"
        )
        ours = _rescaled_by_norm(name, models, base, settings)
    for mine, other in zip(statistics(ours, base, expected), statistics(theirs, base, expected), strict=True):
        apart = abs(mine.value - other.value) / math.hypot(mine.error, other.error)
        passed &= apart <= ERRORS
        parts.append(f"{mine.name} {mine.value:.4g} / {other.value:.4g} ({apart:.1f} σ)")
    return Agreement(passed, " ".join(parts))


def _rescaled_by_norm(name: str, models: Sequence[State], base: State, settings: Settings) -> State:
    """Our masks, rescaled by the ratio of a tensor's L1 norms as mergekit does, then merged."""
    op = merge_op_named(name)
    masked = [op([model], base=base, seed=seed, **settings) for seed, model in enumerate(models)]
    out = {}
    for key, origin in base.items():
        deltas = []
        for model, kept in zip(models, masked, strict=True):
            whole = model[key].double() - origin.double()
            part = whole * (kept[key] != origin)
            deltas.append(part * (whole.abs().sum() / part.abs().sum()) if bool(part.any()) else part)
        stacked = torch.stack(deltas)
        merged = stacked.sum(0)
        if name == "della":
            agreeing = stacked.sign() == merged.sign()
            merged = (stacked * agreeing).sum(0) / agreeing.sum(0).clamp_min(1)
        out[key] = (origin.double() + merged).to(origin.dtype)
    return out
