"""Search strategies side by side: each breeds the same parents with the same budget, over several seeds.

    cd python-backend && ../.venv/bin/python -m benchmarks.strategies
        [--seeds 1-10] [--strategies tournament] [--generations 50] [--population 8] [--processes 2]
        [--folder .benchmark] [--cognate JSON] [--settings JSON]

A seed gives three parents at nano, trained with the default configuration, and one run of each strategy on them.
What counts is the champion's fitness over the best parent's, and over that of the best single merge of the parents
(uniform average, task arithmetic and TIES at their best λ, SWUDI), on the held-out split, which no search ever sees;
then the same of the best candidate without polished weights. The best parent and the best merge are those that are
best on the held-out split itself. Every process computes on one thread; seconds are of a whole run, beside what else
the machine does, and of its processor.

Finished parents and runs stay in the folder, by seed, settings and digests of the parents: a benchmark that was
interrupted goes on where it was, and a shorter one can be made longer. What other code made is named, never mixed in
silently: remove it from the folder to have it made again. Prints markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import cache, partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from statistics import mean
from threading import Thread
from typing import Any

import torch

import agent_forge
from agent_forge.cognate import phase as cognate
from agent_forge.contract.cognate import CognateConfig
from agent_forge.contract.evomerge import EvoMergeConfig, EvoMergeSettings
from agent_forge.contract.model import Model, ModelKind
from agent_forge.evomerge import phase as evomerge
from agent_forge.evomerge.measure.single_merges import SINGLE_MERGES
from agent_forge.evomerge.search.chance import derived_seed
from agent_forge.settings import Settings
from agent_forge.worker.wiring import make_evaluator

from ._as_worker import as_worker
from ._folder_job import FolderJob

DONE = "done.json"
"""Written last into the folder of what is finished."""


@dataclass(frozen=True)
class Result:
    """One finished run."""

    seed: int
    strategy: str
    champion: float
    """Held-out fitness."""
    best_parent: float
    """The same, of the parent that is best there."""
    best_merge: float
    """The same, of the single merge that is best there."""
    unpolished: float
    """The same, of the best candidate without polished weights."""
    best_baseline: float
    """The same, of whatever there was before breeding."""
    selection: float
    """The champion's fitness on the split that the search sees, over that of the best parent there."""
    accuracy: dict[str, float]
    """The champion's, held-out, by dataset."""
    best: list[float]
    """Fitness of the champion so far, by generation, on the split that the search sees."""
    seconds: float
    cpu_seconds: float
    code: str

    @property
    def gain(self) -> float:
        return self.champion / self.best_parent


@cache
def code(*packages: str) -> str:
    """Digest of the sources that a result depends on."""
    root, found = Path(agent_forge.__file__).parent, hashlib.sha256()
    for package in packages:
        for file in sorted((root / package).rglob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()[:12]


def train(seed: int, changes: Mapping[str, Any], folder: Path) -> None:
    """The parents of a seed, and their foundation."""
    seeds = [derived_seed(seed, 0, slot, "parents") for slot in range(3)]
    config = CognateConfig.model_validate({"seeds": seeds, "session_id": f"seed{seed}", "device": "cpu", **changes})

    def work(place: Path) -> dict[str, Any]:
        start = time.perf_counter()
        cognate.run(config, FolderJob(f"cognate-{seed}", place))
        return {"seconds": time.perf_counter() - start, "code": code("cognate", "contract")}

    finished(folder, work)


def breed(seed: int, settings: EvoMergeSettings, parents: list[Model], shelf: Path, folder: Path) -> None:
    config = EvoMergeConfig.model_validate(settings.model_dump() | {"parents": [parent.id for parent in parents]})

    def work(place: Path) -> dict[str, Any]:
        job = FolderJob(f"evomerge-{seed}-{settings.strategy}", place, [shelf])
        start, cpu = time.perf_counter(), time.process_time()
        evomerge.run(config, job, partial(make_evaluator, settings=Settings()))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        rivals = [line for line in job.reported["baselines"] if line["name"].startswith("parent:")]
        before = {line["name"]: line["heldout"]["total"] for line in job.reported["baselines"] if line["heldout"]}
        heldout, unpolished = job.reported["champion_heldout"], job.reported["unpolished_heldout"]
        result = Result(
            seed=seed,
            strategy=settings.strategy,
            champion=heldout["total"],
            best_parent=max(line["heldout"]["total"] for line in rivals),
            best_merge=max(before[name] for name in SINGLE_MERGES),
            unpolished=(unpolished or heldout)["total"],
            best_baseline=max(before.values()),
            selection=job.reported["champion"]["fitness"]["total"] / max(line["selection"]["total"] for line in rivals),
            accuracy={name: scores["accuracy"] for name, scores in heldout["tasks"].items()},
            best=[generation.champion_fitness for generation in job.generations],
            seconds=seconds,
            cpu_seconds=cpu,
            code=code("evomerge", "cognate", "contract"),
        )
        return asdict(result)

    finished(folder, work)


def finished(folder: Path, work: Callable[[Path], dict[str, Any]]) -> None:
    """Do it in a folder beside, which gets its name only once it is complete."""
    torch.set_num_threads(1)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    (unfinished / DONE).write_text(json.dumps(work(unfinished)))
    unfinished.rename(folder)


def keyed(place: Path, *parts: object) -> Path:
    """A folder named by all that determines what is in it."""
    return place.with_name(f"{place.name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:8]}")


def specialists(folder: Path) -> list[Model]:
    """In the configuration's order."""
    models = [Model.model_validate_json(path.read_bytes()) for path in folder.glob("*.json") if path.name != DONE]
    own = [model for model in models if model.kind is ModelKind.specialist]
    order = [str(one) for one in CognateConfig().specializations]
    return sorted(own, key=lambda model: order.index(str(model.specialization)))


def results(options: argparse.Namespace) -> Iterator[Result]:
    """Of all that was asked for, each as soon as it is there."""
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn"), initializer=ends_with_parent) as pool:
        waiting: dict[Future[None], tuple[int, Path, str | None]] = {}

        def start(seed: int, place: Path, strategy: str | None, made_by: str, *order: Any) -> None:
            if (place / DONE).exists():
                known = json.loads((place / DONE).read_bytes())
                if known["code"] != made_by:
                    say(f"{place}: made by other code ({known['code']}, now {made_by})")
                task: Future[None] = Future()
                task.set_result(None)
            else:
                task = pool.submit(*order)
            waiting[task] = seed, place, strategy

        for seed in options.seeds:
            shelf = keyed(options.folder / f"parents-{seed}", options.cognate)
            start(seed, shelf, None, code("cognate", "contract"), train, seed, options.cognate, shelf)
        try:
            while waiting:
                for task in wait(waiting, return_when=FIRST_COMPLETED).done:
                    seed, place, strategy = waiting.pop(task)
                    task.result()
                    if strategy is not None:
                        yield Result(**json.loads((place / DONE).read_bytes()))
                        continue
                    parents = specialists(place)
                    for settings in options.plans(seed):
                        run = options.folder / f"run-{seed}-{settings.strategy}"
                        run = keyed(run, settings.model_dump(), [parent.digest for parent in parents])
                        made_by = code("evomerge", "cognate", "contract")
                        start(seed, run, settings.strategy, made_by, breed, seed, settings, parents, place, run)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def ends_with_parent() -> None:
    """A process whose parent was killed does not go on with what nobody waits for."""
    parent = parent_process()
    assert parent is not None  # noqa: S101 - runs in a process of the pool

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def table(found: Sequence[Result], strategies: Sequence[str]) -> str:
    """Per strategy, then per seed. A win is the best champion of a seed that all strategies have finished."""
    by_seed = {seed: [one for one in found if one.seed == seed] for seed in sorted({one.seed for one in found})}
    complete = [own for own in by_seed.values() if len(own) == len(strategies)]
    wins = [max(own, key=lambda one: one.champion).strategy for own in complete]
    lines = [
        "| strategy | seeds | champion / best parent, held-out: mean | min | max | / best single merge: mean | min "
        "| without polish / best parent: mean | min | / best single merge: mean | min | wins | s | s of processor |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for strategy in strategies:
        own = [one for one in found if one.strategy == strategy]
        if not own:
            continue
        gains, merges = [one.gain for one in own], [one.champion / one.best_merge for one in own]
        plain, plain_merges = (
            [one.unpolished / one.best_parent for one in own],
            [one.unpolished / one.best_merge for one in own],
        )
        figures = [mean(gains), min(gains), max(gains), *_mean_and_least(merges, plain, plain_merges)]
        lines.append(
            f"| {strategy} | {len(own)} | "
            + " | ".join(f"{figure:.3f}" for figure in figures)
            + f" | {wins.count(strategy)} of {len(complete)} | {mean(one.seconds for one in own):.0f} "
            + f"| {mean(one.cpu_seconds for one in own):.0f} |"
        )
    lines += [
        "",
        "| seed | best parent | best single merge | best of all before | " + " | ".join(strategies) + " |",
        "|--:|--:|--:|--:|" + "--:|" * len(strategies),
    ]
    for seed, own in by_seed.items():
        by_strategy = {one.strategy: f"{one.champion:.3f} ({one.gain:.3f})" for one in own}
        cells = [f"{figure:.3f}" for figure in (own[0].best_parent, own[0].best_merge, own[0].best_baseline)]
        cells += [by_strategy.get(strategy, "") for strategy in strategies]
        lines.append(f"| {seed} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _mean_and_least(*ratios: Sequence[float]) -> list[float]:
    return [figure for own in ratios for figure in (mean(own), min(own))]


def spans(text: str) -> list[int]:
    """`1-3,7` → 1, 2, 3, 7."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def say(message: str) -> None:
    sys.stderr.write(message + "\n")


def main() -> None:
    strategies = list(EvoMergeSettings.model_json_schema()["properties"]["strategy"].get("enum", ["tournament"]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=spans, default=spans("1-10"))
    parser.add_argument("--strategies", type=lambda text: text.split(","), default=strategies)
    parser.add_argument("--generations", type=int, default=50)
    parser.add_argument("--population", type=int, default=8)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(".benchmark"))
    parser.add_argument("--cognate", type=json.loads, default={}, help="changes to the parents' configuration")
    parser.add_argument("--settings", type=json.loads, default={}, help="changes to how they are bred")
    options = parser.parse_args()

    def plans(seed: int) -> list[EvoMergeSettings]:
        asked = {"generations": options.generations, "population": options.population, "seed": seed, "device": "cpu"}
        return [
            EvoMergeSettings.model_validate(asked | options.settings | {"strategy": strategy})
            for strategy in options.strategies
        ]

    options.plans = plans
    plans(0)  # a mistake in the arguments shows before any training
    found: list[Result] = []
    for one in results(options):
        found.append(one)
        say(f"seed {one.seed} {one.strategy}: held-out {one.champion:.3f}, {one.gain:.3f} × the best parent")
    sys.stdout.write(table(found, options.strategies) + "\n")


if __name__ == "__main__":
    as_worker("strategies")
    main()
