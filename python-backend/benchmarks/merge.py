"""One merge of three TinyTitans, each op, beside the memory bandwidth of this machine and beside mergekit.

    cd python-backend && ../.venv/bin/python -m benchmarks.merge [--mergekit VENV/bin/python] [--ops ties,slerp]

Inputs count as looked through for NaN and infinities, which a run does once for each parent; results are looked at.
The floor of an op is the time to read its inputs once and write its output once at the bandwidth that a copy over
all threads reaches here: the median of copies before each of its repeats, since neighbours of a virtual machine take
their share. Ops that need statistics of their inputs, of order or inner products, are timed twice: with these to be
found, and with those found before, as in every merge of a run but the first.
mergekit is never a dependency: give the python of a virtual environment that has it. Its functions get the same
tensors, one by one; times are for the whole set. _agreement.py says whether the results are the same; where they
are not, and no difference of definition explains it, the exit code is 1.
Ops that are no pass over the tensors have to be asked for: `align`, a search, and those that solve for matrices. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, cast

import torch

from agent_forge.contract.architecture import ARCHITECTURES, Preset, block_of, tensor_shapes
from agent_forge.evomerge.ops.registry import merge_op_named, merge_ops
from agent_forge.evomerge.ops.statistics_cache import Statistic, StatisticsCache

from ._agreement import DOUBLE, ERRORS, RANDOM, TOLERANCE, Agreement, deterministic, random
from ._as_worker import as_worker
from ._mergekit import Peer, PeerError, State

SETTINGS: dict[str, dict[str, Any]] = {
    "linear": {"weights": [0.5, 0.3, 0.2]},
    "task_arithmetic": {"weights": [0.5, 0.3, 0.2], "scale": 1.0},
    "ties": {"weights": [0.5, 0.3, 0.2], "density": 0.2, "scale": 1.0},
    "dare_linear": {"drop_rate": 0.5},
    "dare_ties": {"drop_rate": 0.5},
    "della_linear": {"drop_rate": 0.5},
    "della": {"drop_rate": 0.5},
    "breadcrumbs": {"weights": [0.5, 0.3, 0.2], "density": 0.5, "gamma": 0.05},
    "breadcrumbs_ties": {"weights": [0.5, 0.3, 0.2], "density": 0.5, "gamma": 0.05},
    "sce": {"selected": 0.3},
    "nearswap": {"t": 0.002},
    # so that many changes are unique, of which near models have few, and α leaves the ratio as it is
    "ram_plus": {"epsilon": 0.004, "r": 0.3, "alpha": 2.0},
    "multislerp": {"weights": [0.5, 0.3, 0.2]},
    "slerp": {"weights": [0.6, 0.4]},
    "nuslerp": {"weights": [0.6, 0.4]},
    "frankenmerge": {"embedding_source": 1, "output_source": 2},
}
NO_PASS = ("align", "regmean", "regmean_plus_plus")
"""Ops that search or solve."""
NOT_THEIRS = (*NO_PASS, "decouple", "dfs", "fisher", "frankenmerge", "mutate", "swudi")
"""Ops that mergekit has none of, or that copy whole tensors."""


@dataclass
class Row:
    op: str
    seconds: float
    bytes: int
    """Of its inputs and its output."""
    rate: float
    """Bytes per second of copies made in between."""
    first_seconds: float | None = None
    """With order statistics still to be found."""
    mergekit_seconds: float | None = None
    agreement: Agreement | None = None
    """With mergekit's result."""
    notes: list[str] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        row: dict[str, Any] = {"op": self.op, "seconds": round(self.seconds, 3)}
        row["times_floor"] = round(self.seconds / (self.bytes / self.rate), 2)
        if self.first_seconds is not None:
            row["first_seconds"] = round(self.first_seconds, 3)
        if self.mergekit_seconds is not None:
            row["mergekit_seconds"] = round(self.mergekit_seconds, 3)
            row["times_faster"] = round(self.mergekit_seconds / self.seconds, 1)
        if self.agreement is not None:
            row |= {"agrees": self.agreement.passed, "agreement": self.agreement.said}
        if self.notes:
            row["notes"] = "; ".join(self.notes)
        return row


def bandwidth() -> float:
    """Bytes per second, read and written, of a copy that fits no cache."""
    source = torch.ones(48 * 2**20)
    target = torch.empty_like(source)
    times = [timed(lambda: target.copy_(source))[0] for _ in range(5)]
    return 2 * source.nbytes / median(times[1:])


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def family(preset: Preset) -> tuple[State, list[State]]:
    """A base and three models near it, as a foundation and its specialists are."""
    generator = torch.Generator().manual_seed(0)
    shapes = tensor_shapes(ARCHITECTURES[preset])
    base = {name: torch.empty(shape).normal_(0, 0.02, generator=generator) for name, shape in shapes.items()}
    models = [
        {
            name: tensor + torch.empty_like(tensor).normal_(0, 0.004, generator=generator)
            for name, tensor in base.items()
        }
        for _ in range(3)
    ]
    return base, models


def inputs(name: str, models: list[State]) -> list[State]:
    return models[: 2 if name == "slerp" else merge_op_named(name).inputs.most]


def measure(name: str, base: State, models: list[State], repeats: int) -> Row:
    op = merge_op_named(name)
    chosen = inputs(name, models)
    extra: dict[str, Any] = {}
    size = sum(tensor.nbytes for tensor in base.values())
    read = len(chosen) * size
    if "base" in op.needs:
        extra["base"] = base
        read += size
    if "fisher" in op.needs:
        extra["fisher"] = [{key: value.abs() for key, value in model.items()} for model in chosen]
        read += len(chosen) * size
    if "grams" in op.needs:
        extra["grams"] = own_grams
    found: dict[Hashable, Any] = {}

    def known(tensor: str) -> StatisticsCache:
        def statistic(inputs: Sequence[int], what: Hashable, make: Callable[[], Statistic]) -> Statistic:
            place = (tensor, *inputs, what)
            if place not in found:
                found[place] = make()
            return cast(Statistic, found[place])

        return statistic

    settings = SETTINGS.get(name, {})
    compiled(name, settings)
    times, rates = [], []
    for _ in range(repeats + 1):
        rates.append(bandwidth())
        times.append(timed(lambda: op(chosen, seed=1, statistics=known, known_finite=True, **extra, **settings))[0])
    row = Row(name, median(times[1:]), read + size, median(rates[1:]))
    if found:
        row.first_seconds = times[0]
    if op.whole and not op.measures:
        row.notes.append("shares memory with its inputs: nothing is read")
    return row


def own_grams(index: int, model: Mapping[str, torch.Tensor]) -> State:
    """As if each matrix of a block read a few rows of its own."""
    rows = {key: tensor[:64].double() for key, tensor in model.items() if tensor.dim() == 2 and block_of(key)}
    return {key: read.T @ read for key, read in rows.items()}


def compiled(name: str, settings: dict[str, Any]) -> None:
    """Run it on something small: kernels are compiled when they are first used on a machine."""
    op = merge_op_named(name)
    small = {"w": torch.linspace(-1, 1, 1 << 17).reshape(1 << 8, -1)}
    models = inputs(name, [small] * 3)
    op(
        models,
        base=small if "base" in op.needs else None,
        fisher=[{"w": small["w"].abs()}] * len(models) if "fisher" in op.needs else None,
        grams=own_grams,
        **settings,
    )


def compare(rows: list[Row], python: str, base: State, models: list[State], directory: Path) -> None:
    """Time mergekit on the same tensors and compare its results with ours."""
    single = Peer(python, directory / "single", base, models)
    double = Peer(python, directory / "double", doubled(base), [doubled(model) for model in models])
    for row in rows:
        if row.op in NOT_THEIRS:
            continue
        op, settings = merge_op_named(row.op), SETTINGS.get(row.op, {})
        chosen = inputs(row.op, models)
        try:
            row.mergekit_seconds, theirs = single.merge(row.op, settings, len(chosen))
            peer = single
            if row.op in DOUBLE:
                peer = double
                _, theirs = double.merge(row.op, settings, len(chosen))
        except PeerError as error:
            row.agreement = Agreement(False, f"mergekit gave no result: {error}")
            continue
        chosen = peer.models[: len(chosen)]
        ours = op(chosen, base=peer.base if "base" in op.needs else None, **settings)
        check = random if row.op in RANDOM else deterministic
        row.agreement = check(row.op, ours, theirs, chosen, peer.base, settings)


def doubled(model: State) -> State:
    return {name: tensor.double() for name, tensor in model.items()}


def table(rows: list[Row]) -> str:
    """What `compare` found, to read."""
    compared = [(row, row.agreement) for row in rows if row.agreement is not None]
    lines = [
        f"{row.op:17}{row.seconds:8.3f} s{row.mergekit_seconds or 0:9.3f} s  "
        f"{'agrees' if agreement.passed else 'DIFFERS'}: {agreement.said}"
        for row, agreement in compared
    ]
    failed = sum(not agreement.passed for _, agreement in compared)
    others = [row.op for row in rows if row.agreement is None]
    return "\n".join(
        [
            "op                   ours   mergekit",
            *lines,
            f"{len(lines) - failed} agree, {failed} differ: by more than {TOLERANCE:g} of a tensor's largest entry, or "
            f"random ones' statistics by more than {ERRORS:g} standard errors",
            f"not compared, mergekit has none such or copies whole tensors: {', '.join(others)}",
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", type=Preset, default=Preset.tinytitan)
    parser.add_argument("--ops", default=",".join(name for name in merge_ops() if name not in NO_PASS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--mergekit", help="python of a virtual environment with mergekit")
    parser.add_argument("--directory", type=Path, default=Path(), help="files go to a temporary directory below it")
    options = parser.parse_args()
    base, models = family(options.preset)
    rows = []
    for name in options.ops.split(","):
        rows.append(measure(name, base, models, options.repeats))
        sys.stderr.write(json.dumps(rows[-1].shown()) + "\n")
    rate = median(row.rate for row in rows)
    sys.stderr.write(f"bandwidth {rate / 1e9:.1f} GB/s, {torch.get_num_threads()} threads\n")
    if options.mergekit:
        with tempfile.TemporaryDirectory(dir=options.directory) as place:
            compare(rows, options.mergekit, base, models, Path(place))
        sys.stderr.write(table(rows))
    result = {
        "preset": options.preset,
        "bandwidth_gbytes": round(rate / 1e9, 2),
        "threads": torch.get_num_threads(),
        "ops": [row.shown() for row in rows],
    }
    sys.stdout.write(json.dumps(result) + "\n")
    return 1 if any(row.agreement is not None and not row.agreement.passed for row in rows) else 0


if __name__ == "__main__":
    as_worker("merge")
    sys.exit(main())
