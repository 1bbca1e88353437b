"""What breeding costs: time, memory and disk of runs that differ in one thing, and how well a line fits them.

    cd python-backend && ../.venv/bin/python -m benchmarks.evolution
        [--preset tinytitan] [--generations 2,4,8] [--populations 4,8,16] [--presets nano,tinytitan,wide]
        [--threads 2] [--settings '{"eval_problems": 32}'] [--directory .]

Parents are trained for one step each: they think at full depth about every token, which is the most that a candidate
of their size can cost. Generations are those of a tournament of 8, populations those of two generations of cma_es,
presets two generations of a tournament. Each run is a process of its own: memory is the most that it ever held, files
mapped into it included; disk is what it leaves. A candidate's seconds are those of its generation, shared out: what a
run does before the first and after the last does not grow with them. Merging and evaluating overlap there; so after
the run each candidate is made and measured again, one thing at a time: `alone`, and `share`, merging's of both.
Measuring Fisher information, which is reading problems forward and back, counts as neither there.
`spread` is how far the seconds lie apart within a row of runs, the largest over the smallest; over parameters, the
seconds per parameter. 1 is a line.
Prints markdown; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from agent_forge.cognate import phase as cognate
from agent_forge.contract.architecture import ARCHITECTURES, Preset, parameter_count
from agent_forge.contract.cognate import CognateConfig
from agent_forge.contract.evomerge import EvoMergeConfig
from agent_forge.evomerge import phase as evomerge
from agent_forge.evomerge.measure.diversity import sketch
from agent_forge.evomerge.measure.workbench import Workbench
from agent_forge.registry.tensors import digest_tensors
from agent_forge.settings import Settings
from agent_forge.worker.wiring import make_evaluator

from ._as_worker import as_worker
from ._folder_job import FolderJob
from .strategies import ends_with_parent, specialists


@dataclass(frozen=True)
class Cost:
    """Of one run."""

    preset: str
    parameters: int
    strategy: str
    generations: int
    population: int
    seconds: float
    candidate_seconds: float
    """Of a candidate: from the beginning of its generation to the end, over the population."""
    merge_seconds: float
    """The same, of merging alone, which goes on beside evaluating."""
    evaluate_seconds: float
    merge_alone_seconds: float
    """Of merging it again, with nothing beside it, order statistics included where it is the first to need them."""
    evaluate_alone_seconds: float
    peak_bytes: int
    disk_bytes: int


def train(preset: Preset, folder: Path, threads: int) -> None:
    torch.set_num_threads(threads)
    config = CognateConfig(
        preset=preset, foundation_steps=1, train_steps=1, eval_problems=8, device="cpu", session_id=preset
    )
    cognate.run(config, FolderJob("cognate", folder))


def breed(preset: Preset, shelf: Path, folder: Path, threads: int, settings: dict[str, Any]) -> Cost:
    torch.set_num_threads(threads)
    parents = specialists(shelf)
    config = EvoMergeConfig.model_validate(
        {"device": "cpu", "barrier_points": 3, **settings, "parents": [parent.id for parent in parents]}
    )
    job = FolderJob("evomerge", folder, [shelf])
    start = time.perf_counter()
    evomerge.run(config, job, partial(make_evaluator, settings=Settings()))
    seconds = time.perf_counter() - start
    count, peak = len(job.recorded), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    merging, evaluating = one_by_one(config, job)
    return Cost(
        preset=preset,
        parameters=parameter_count(ARCHITECTURES[preset]),
        strategy=config.strategy,
        generations=config.generations,
        population=config.population,
        seconds=seconds,
        candidate_seconds=sum(generation.seconds for generation in job.generations) / count,
        merge_seconds=sum(candidate.merge_seconds for candidate in job.recorded) / count,
        evaluate_seconds=sum(candidate.evaluate_seconds for candidate in job.recorded) / count,
        merge_alone_seconds=merging / count,
        evaluate_alone_seconds=evaluating / count,
        peak_bytes=peak,
        disk_bytes=sum(path.stat().st_size for path in folder.iterdir()),
    )


def one_by_one(config: EvoMergeConfig, job: FolderJob) -> tuple[float, float]:
    """Seconds of merging and of evaluating all candidates again, as the run does, on all threads."""
    bench = Workbench(config, job, partial(make_evaluator, settings=Settings()))
    bench.prepare(job.poll)
    merging = evaluating = 0.0
    for candidate in job.recorded:
        start, fisher = time.perf_counter(), bench.fisher_seconds
        tensors = bench.make(candidate.recipe)
        sketch(tensors, bench.base)
        digest_tensors(tensors)
        made = time.perf_counter()
        bench.evaluate(tensors, "selection")
        merging += made - start - (bench.fisher_seconds - fisher)
        evaluating += time.perf_counter() - made
    return merging, evaluating


def alone(work: Callable[..., Any], *order: Any) -> Any:
    """In a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=ends_with_parent) as pool:
        return pool.submit(work, *order).result()


def table(rows: dict[str, list[Cost]]) -> str:
    lines = [
        "| what grows | preset | parameters | generations | population | run, s | candidate, s | merge | evaluate "
        "| merge alone | evaluate alone | share | memory, GB | disk, GB | spread |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for what, costs in rows.items():
        for cost in costs:
            apart = [cost.merge_alone_seconds, cost.evaluate_alone_seconds]
            figures = [cost.seconds, cost.candidate_seconds, cost.merge_seconds, cost.evaluate_seconds, *apart]
            lines.append(
                f"| {what} | {cost.preset} | {cost.parameters:,} | {cost.generations} | {cost.population} | "
                + " | ".join(f"{figure:.2f}" for figure in figures)
                + f" | {apart[0] / sum(apart):.0%} | {cost.peak_bytes / 1e9:.2f} | {cost.disk_bytes / 1e9:.2f} | "
                + (f"{spread(costs):.2f} |" if cost is costs[-1] else "|")
            )
    return "\n".join(lines)


def spread(costs: Sequence[Cost]) -> float:
    """Of the seconds of a candidate; where sizes differ, of those per parameter."""
    sizes = len({cost.parameters for cost in costs}) > 1
    each = [cost.candidate_seconds / (cost.parameters if sizes else 1) for cost in costs]
    return max(each) / min(each)


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", type=Preset, default=Preset.tinytitan)
    parser.add_argument("--generations", type=numbers, default=[2, 4, 8])
    parser.add_argument("--populations", type=numbers, default=[4, 8, 16])
    parser.add_argument(
        "--presets", type=lambda text: [Preset(part) for part in text.split(",") if part], default=list(Preset)
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--settings", type=json.loads, default={"eval_problems": 32, "heldout_problems": 32})
    parser.add_argument("--directory", type=Path, default=Path(), help="files go to a temporary directory below it")
    options = parser.parse_args()
    plans = [("generations", options.preset, {"generations": count}) for count in options.generations]
    plans += [
        ("population", options.preset, {"strategy": "cma_es", "generations": 2, "population": count})
        for count in options.populations
    ]
    plans += [("parameters", preset, {"generations": 2}) for preset in options.presets]
    rows: dict[str, list[Cost]] = {}
    with tempfile.TemporaryDirectory(dir=options.directory) as place:
        for preset in dict.fromkeys(preset for _, preset, _ in plans):
            alone(train, preset, Path(place) / preset, options.threads)
        for index, (what, preset, changes) in enumerate(plans):
            folder = Path(place) / f"run{index}"
            cost = alone(breed, preset, Path(place) / preset, folder, options.threads, {**options.settings, **changes})
            rows.setdefault(what, []).append(cost)
            sys.stderr.write(json.dumps({"grows": what, **asdict(cost)}) + "\n")
    sys.stdout.write(table(rows) + "\n")
    sys.stdout.write(json.dumps({what: [asdict(cost) for cost in costs] for what, costs in rows.items()}) + "\n")


if __name__ == "__main__":
    as_worker("evolution")
    main()
