"""What a cluster adds to each child and takes from a run: measured on one-core nodes of this machine, then simulated.

    cd python-backend && ../.venv/bin/python -m benchmarks.cluster [--presets nano,tinytitan] [--steps 60]

- overhead: the same children of generation 0 at nano, warm, one at a time: on a node and in this process, one thread
  each. What the engine asks of a child and what comes back is that of a real run.
- specialists: three are trained one after the other with two threads, the same with one thread, and at once on two
  one-core nodes.
- simulation: a run of 8 × 50 and one of 64 × 50 on 2 to 512 nodes, each of which works on one child at a time. Children
  take what those of generation 0 took here, in turn; the rest of a run (parents, single merges, polish, finalists,
  held-out problems) is counted in problems as the forecast counts them, at the time that one took here. 7 B is
  `tinytitan` by parameters. Generations wait for their last child. Nodes read the models at 10 Gbit/s each, once.
Run it on a quiet machine: nodes have a core each. Prints markdown; the last line is JSON.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import torch

from agent_forge.cognate import phase as cognate
from agent_forge.contract.architecture import ARCHITECTURES, Preset, parameter_count
from agent_forge.contract.cognate import CognateConfig
from agent_forge.contract.evomerge import EvoMergeConfig, EvoMergeSettings
from agent_forge.contract.model import ModelKind
from agent_forge.evomerge.children import Block, Child, Made, shared, worked_on
from agent_forge.evomerge.measure.workbench import Workbench
from agent_forge.evomerge.search.strategies import strategy_of
from agent_forge.execution.cluster.connection import Cluster
from agent_forge.execution.cluster.executor import RayExecutor
from agent_forge.execution.executor import Executor, Shared
from agent_forge.execution.in_process import InProcess
from agent_forge.settings import Settings
from agent_forge.store.rates import Part, breeding_units
from agent_forge.worker.wiring import make_evaluator

from ._as_worker import as_worker
from ._folder_job import FolderJob
from ._local_cluster import local_cluster

NODES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
READ_BYTES = 1.25e9
"""Of a node's network, a second."""
BILLIONS = 7.0
SIZES = {"8 × 50": (8, 50), "64 × 50": (64, 50)}


@dataclass(frozen=True)
class Measured:
    """Of one preset, seconds on one core."""

    preset: str
    parameters: int
    children: list[float]
    """Merging and measuring each of generation 0."""
    problem: float
    """Answering one."""
    overhead: float
    """What the cluster adds to a child."""
    handling: float
    """Of these, spent by the backend's process, which serves all nodes."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", default="nano,tinytitan")
    parser.add_argument("--steps", type=int, default=60, help="of each specialist")
    given = parser.parse_args(argv)
    with (
        local_cluster(2) as local,
        tempfile.TemporaryDirectory() as folder,
        closing(Cluster(local.address, Path(folder), 1)) as cluster,
    ):
        torch.set_num_threads(1)
        print("| child at nano, warm | ms |\n|---|--:|")  # noqa: T201
        overhead, handling = _overhead(cluster, Path(folder))
        trained = _specialists(cluster, Path(folder), given.steps)
        print("\n| specialists | s |\n|---|--:|")  # noqa: T201
        for name, seconds in trained.items():
            print(f"| {name} | {seconds:.1f} |")  # noqa: T201
        rows = [_measured(Preset(preset), Path(folder), overhead, handling) for preset in given.presets.split(",")]
    largest = rows[-1]
    factor = BILLIONS * 1e9 / largest.parameters
    rows.append(
        Measured(
            "7 B",
            int(BILLIONS * 1e9),
            [seconds * factor for seconds in largest.children],
            largest.problem * factor,
            overhead,
            handling,
        )
    )
    simulated = {name: {row.preset: _speed_up(row, *size) for row in rows} for name, size in SIZES.items()}
    for name, found in simulated.items():
        print(f"\n| {name}, nodes | " + " | ".join(str(nodes) for nodes in NODES) + " |")  # noqa: T201
        print("|---|" + "--:|" * len(NODES))  # noqa: T201
        for preset, speeds in found.items():
            print(f"| {preset} | " + " | ".join(f"{speed:.1f}" for speed in speeds) + " |")  # noqa: T201
    print(json.dumps({"specialists": trained, "rows": [asdict(row) for row in rows], "speed_up": simulated}))  # noqa: T201
    return 0


def _overhead(cluster: Cluster, folder: Path) -> tuple[float, float]:
    """Seconds that a child takes longer on a node than here; of these, those of this process."""
    job, everything, children = _generation_0(Preset.nano, folder)
    here, away = InProcess(), RayExecutor(cluster, job)
    for executor in (here, away, here, away):
        for child in children:
            _timed(executor, everything, [child])
    pairs = [
        (_timed(here, everything, [child]), _timed(away, everything, [child])) for _ in range(3) for child in children
    ]
    busy = time.process_time()
    for child in children:
        _timed(away, everything, [child])
    handling = (time.process_time() - busy) / len(children)
    overhead = median(there - own for own, there in pairs)
    for name, seconds in (
        ("in this process", median(own for own, _ in pairs)),
        ("on a node", median(there for _, there in pairs)),
        ("overhead, median of differences", overhead),
        ("of it, this process's own work", handling),
    ):
        print(f"| {name} | {1000 * seconds:.0f} |")  # noqa: T201
    return overhead, handling


def _specialists(cluster: Cluster, folder: Path, steps: int) -> dict[str, float]:
    config = CognateConfig(preset=Preset.nano, foundation_steps=1, train_steps=steps, eval_problems=16)
    found = {}
    for name, threads, make in (
        ("one after the other, two threads", 2, None),
        ("one after the other, one thread", 1, None),
        ("at once on two one-core nodes, first", 1, partial(RayExecutor, cluster)),
        ("at once on two one-core nodes, warm", 1, partial(RayExecutor, cluster)),
    ):
        torch.set_num_threads(threads)
        job = FolderJob(f"specialists{len(found)}", folder / f"specialists{len(found)}")
        start = time.perf_counter()
        cognate.run(config, job, executor=make(job) if make is not None else None)
        found[name] = time.perf_counter() - start
    torch.set_num_threads(1)
    return found


def _measured(preset: Preset, folder: Path, overhead: float, handling: float) -> Measured:
    _, everything, children = _generation_0(preset, folder)
    here = InProcess()
    if preset is Preset.nano:
        _timed(here, everything, children)
    seconds, answered = [], []
    for child in children:
        items: list[Made | Block] = []
        seconds.append(_timed(here, everything, [child], items.append))
        answered += [(one.seconds, len(one.answers)) for one in items if isinstance(one, Block)]  # type: ignore[arg-type]
    problem = sum(took for took, _ in answered) / sum(count for _, count in answered)
    parameters = parameter_count(ARCHITECTURES[preset])
    return Measured(str(preset), parameters, seconds, problem, overhead, handling)


def _generation_0(preset: Preset, folder: Path) -> tuple[FolderJob, Shared[Workbench], list[Child]]:
    """Of untrained models: they think at full depth, which is the most that a candidate can cost."""
    job = FolderJob(f"parents-{preset}", folder / f"parents-{preset}")
    cognate.run(CognateConfig(preset=preset, foundation_steps=0, train_steps=0), job)
    models = [job.load_model(path.stem)[0] for path in sorted(job.folder.glob("*.json"))]
    config = EvoMergeConfig(parents=[model.id for model in models if model.kind is ModelKind.specialist], align="never")
    make = partial(make_evaluator, settings=Settings())
    bench = Workbench(config, job, make)
    bench.prepare(_idle)
    bench.settle("raw")
    problems = bench.evaluator.problems
    plans = strategy_of(config, bench.frame).ask()
    children = [Child(f"g0.s{slot}", plan.recipe, [problems]) for slot, plan in enumerate(plans)]
    return job, shared(bench, config, make), children


def _timed(
    executor: Executor,
    everything: Shared[Workbench],
    children: Sequence[Child],
    take: Callable[[Made | Block], object] = lambda item: None,
) -> float:
    start = time.perf_counter()
    for stream in executor.map(worked_on, everything, children, _idle):
        for item in stream:
            take(item)
    return time.perf_counter() - start


def _speed_up(row: Measured, population: int, generations: int) -> list[float]:
    settings = EvoMergeSettings(generations=generations, population=population, eval_problems=64)
    units = breeding_units(settings, 3, 3, population * generations, aligned=False)
    # the backward pass takes twice as long as the forward pass
    alone = row.problem * (units[Part.frame] + 3 * units[Part.polish])
    reading = 4 * 4 * row.parameters / READ_BYTES
    single = alone + generations * _makespan(row.children, population, 1)
    times = [
        alone
        + reading
        + generations
        * max(
            _makespan([seconds + row.overhead for seconds in row.children], population, nodes),
            population * row.handling,
        )
        for nodes in NODES[1:]
    ]
    return [1.0, *(single / seconds for seconds in times)]


def _makespan(children: Sequence[float], population: int, nodes: int) -> float:
    """Each child goes to the node that is free first, in order."""
    free = [0.0] * nodes
    for slot in range(population):
        heapq.heappush(free, heapq.heappop(free) + children[slot % len(children)])
    return max(free)


def _idle() -> None:
    """Nobody pauses a benchmark."""


if __name__ == "__main__":
    as_worker("cluster")
    sys.exit(main())
