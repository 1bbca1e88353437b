"""Runs on a real cluster of three nodes, beside the same runs in this process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from faults.conftest import SMALLEST
from forge_server import Server, is_status
from memory_job import MemoryJob

from agent_forge.cognate import phase as cognate
from agent_forge.cognate.evaluation import Evaluator
from agent_forge.cognate.scoring import Answers
from agent_forge.contract.cognate import CognateConfig, DatasetChoice, TrainingEvaluation
from agent_forge.contract.errors import Cancelled, Paused
from agent_forge.contract.evomerge import EvoMergeConfig
from agent_forge.contract.model import Model, ModelKind
from agent_forge.evomerge import phase as evomerge
from agent_forge.evomerge.errors import NoChampion
from agent_forge.settings import Settings
from agent_forge.worker.wiring import make_evaluator
from benchmarks._local_cluster import LocalCluster, local_cluster

if find_spec("ray") is None:
    pytest.skip("Ray is not installed: npm run setup -- ray", allow_module_level=True)

import ray

from agent_forge.execution.cluster.connection import Cluster
from agent_forge.execution.cluster.executor import RayExecutor

PARENTS = CognateConfig(foundation_steps=10, train_steps=24, eval_problems=8, eval_interval=8, checkpoint_interval=3)
BREEDING = EvoMergeConfig(
    parents=["?", "?"],
    generations=4,
    datasets=[DatasetChoice(name="arithmetic")],
    eval_problems=32,
    heldout_problems=8,
    polish_steps=2,
    finalists=2,
    final_problems=8,
    barrier_points=0,
)
evaluator = partial(make_evaluator, settings=Settings())


@pytest.fixture(scope="module")
def local() -> Iterator[LocalCluster]:
    with local_cluster(3) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def cluster(local: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    before = torch.get_num_threads()
    connected = Cluster(local.address, tmp_path_factory.mktemp("models"), None)
    torch.set_num_threads(connected.threads)
    yield connected
    connected.close()
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def parents(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> MemoryJob:
    job = MemoryJob(tmp_path_factory.mktemp("parents"), "parents")
    cognate.run(PARENTS, job)
    return job


Breed = Callable[..., MemoryJob]


@pytest.fixture
def breed(cluster: Cluster, parents: MemoryJob, tmp_path: Path) -> Breed:
    specialists = [key for key, (model, _) in parents.models.items() if model.kind is ModelKind.specialist]

    def bred(
        *,
        away: bool,
        job: MemoryJob | None = None,
        changes: dict[str, Any] | None = None,
        make: Callable[..., Evaluator] = evaluator,
    ) -> MemoryJob:
        own = job or MemoryJob(tmp_path, "run")
        own.models |= parents.models
        config = BREEDING.model_copy(update={"parents": specialists} | (changes or {}))
        evomerge.run(config, own, make, RayExecutor(cluster, own) if away else None)
        return own

    return bred


@pytest.fixture(scope="module")
def undisturbed() -> list[list[Any]]:
    """What a run in this process found, once it is known."""
    return []


TIMED = {"merge_seconds", "evaluate_seconds", "node", "seconds"}


def found(job: MemoryJob) -> list[Any]:
    """Everything but how long it took, and where."""
    rows = [*job.candidates(), *(one for _, one in sorted(job.generations.items()))]
    return untimed([*(one.model_dump(mode="json") for one in rows), job.reported])


def untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: untimed(part) for key, part in value.items() if key not in TIMED}
    return [untimed(part) for part in value] if isinstance(value, list) else value


def test_specialists_train_at_once_as_they_do_one_after_the_other(
    cluster: Cluster, parents: MemoryJob, tmp_path: Path
) -> None:
    job = paused = MemoryJob(tmp_path, "parents")

    def pause(count: int) -> None:
        if len(paused.steps) == 22:
            raise Paused

    job.on_poll = pause
    with pytest.raises(Paused):
        cognate.run(PARENTS, job, executor=RayExecutor(cluster, job))
    assert [node.children for node in cluster.nodes()] == [[], [], []]
    job.on_poll = lambda count: None
    cognate.run(PARENTS, job, executor=RayExecutor(cluster, job))
    assert {key: model.digest for key, (model, _) in job.models.items()} == {
        key: model.digest for key, (model, _) in parents.models.items()
    }
    assert list(job.models) == list(parents.models)
    # they come in another order, from several at once
    assert {key: trained(one) for key, one in job.evaluations.items()} == {
        key: trained(one) for key, one in parents.evaluations.items()
    }
    assert any("resumed at step" in line for line in job.logs)
    assert len([name for name in job.timings if name.startswith("node:")]) > 1


def trained(evaluation: TrainingEvaluation) -> dict[str, Any]:
    return evaluation.model_dump(exclude={"tokens_per_second", "elapsed_seconds"})


def test_the_same_run_as_in_this_process(breed: Breed, undisturbed: list[list[Any]]) -> None:
    undisturbed.append(found(breed(away=False)))
    job = breed(away=True)
    assert found(job) == undisturbed[0]
    assert len({one.node for one in job.candidates()}) == 3
    assert any(one.fitness.partial for one in job.candidates())
    # what the nodes log reaches the run
    assert sum("takes part" in line for line in job.logs) == 3
    # nothing is rounded differently on nodes of one kind
    assert not any("rounds differently" in line for line in job.logs)


def test_a_cancelled_run_leaves_no_task_behind(breed: Breed, cluster: Cluster, tmp_path: Path) -> None:
    job = MemoryJob(tmp_path, "run")

    def cancel(count: int) -> None:
        if len(job.found) == 3:
            raise Cancelled

    job.on_poll = cancel
    with pytest.raises(Cancelled):
        breed(away=True, job=job)
    assert len(job.found) == 3
    assert [node.children for node in cluster.nodes()] == [[], [], []]
    assert wait_for(lambda: ray.available_resources().get("CPU") == 3.0)


class Deadly(Evaluator):
    """Ends its process at what is merged in another process than the one that it was made for."""

    home = 0
    parents = 0

    def answers(self, *given: Any, **named: Any) -> Answers:
        # what a node measures first is a parent, to compare with
        self.parents += 1
        if os.getpid() != self.home and self.parents > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().answers(*given, **named)


def deadly(config: EvoMergeConfig, models: Sequence[Model], *, home: int) -> Evaluator:
    made = evaluator(config, models)
    made.__class__ = Deadly
    assert isinstance(made, Deadly)
    made.home = home
    return made


def test_what_ends_its_process_three_times_is_lost(breed: Breed, tmp_path: Path) -> None:
    job = MemoryJob(tmp_path, "run")
    changes = {"strategy": "cma_es", "population": 2, "generations": 1}
    with pytest.raises(NoChampion):
        breed(away=True, job=job, changes=changes, make=partial(deadly, home=os.getpid()))
    assert [one.fault and one.fault.kind for one in job.candidates()] == ["task_lost"] * 2


def test_a_backend_sends_its_runs_there_and_shows_the_nodes(local: LocalCluster, tmp_path: Path) -> None:
    server = Server(tmp_path / "data", {"EXECUTOR": "ray", "RAY_ADDRESS": local.address})
    try:
        made = server.post("/v1/pipelines", SMALLEST)
        server.wait(made["evomerge"]["id"], is_status("succeeded"))
        nodes = server.get("/v1/system")["nodes"]
        assert sorted(node["id"] for node in nodes) == sorted(node.id for node in local.nodes)
        assert [(node["status"], node["cpus"], node["children"]) for node in nodes] == [("idle", 1.0, [])] * 3
        assert server.get("/readyz")["nodes_alive"] == 3
        for phase in ("cognate", "evomerge"):
            timings = server.get(f"/v1/runs/{made[phase]['id']}/report")["timings"]
            assert timings["nodes"]
            assert all(one["busy"] > 0 for one in timings["nodes"])
        said = [event["payload"]["message"] for event in server.events() if event["type"] == "run.log"]
        assert any("takes part" in message for message in said)
    finally:
        assert server.stop() == 0


def test_a_node_that_is_killed_costs_no_candidate(
    breed: Breed, cluster: Cluster, local: LocalCluster, tmp_path: Path, undisturbed: list[list[Any]]
) -> None:
    job = MemoryJob(tmp_path, "run")
    victim = next(node for node in local.nodes[1:] if node.id != ray_node())

    before: list[str] = []
    killed: list[list[str]] = []

    def kill(count: int) -> None:
        """At the moment when a child has just begun there: it cannot be finished before its node is gone."""
        working = next(node for node in cluster.nodes() if node.id == victim.id).children
        begun = [child for child in working if child not in before]
        before[:] = working
        if len(job.found) > 8 and begun and not killed:
            victim.kill()
            killed.append(begun)

    job.on_poll = kill
    breed(away=True, job=job)
    assert found(job) == undisturbed[0]
    # it says what was lost, and where
    assert any(killed[0][0] in line and cluster.name(victim.id) in line for line in job.logs)
    assert wait_for(lambda: [node.status for node in cluster.nodes() if node.id == victim.id] == ["gone"])


def ray_node() -> str:
    """Of this process."""
    own: str = ray.get_runtime_context().get_node_id()
    return own


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()
