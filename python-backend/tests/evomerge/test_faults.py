"""Candidates, baselines and parents whose numbers are not finite: evolution goes on without them, or says whom it
cannot begin with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
import torch
from evomerge.tiny import TinyAnswers, TinyEvaluator, job_with_parents, reported, tiny_evaluator
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from memory_job import MemoryJob
from torch import Tensor

from agent_forge.cognate.datasets.registry import builtin
from agent_forge.cognate.evaluation import Evaluator, ProblemSet
from agent_forge.cognate.initialization import draw_all
from agent_forge.cognate.mixture import Mixture
from agent_forge.cognate.presets import resolve
from agent_forge.cognate.tokenizer import ByteTokenizer
from agent_forge.cognate.training import FROM_SCRATCH, Trainer
from agent_forge.contract.architecture import Preset, TinyTitan
from agent_forge.contract.cognate import CognateConfig
from agent_forge.contract.errors import NotMeasurable
from agent_forge.contract.evomerge import Candidate, EvoMergeConfig, Role
from agent_forge.contract.fault import Fault
from agent_forge.contract.job import ModelDraft
from agent_forge.contract.model import ModelKind
from agent_forge.contract.recipe import ImportOrigin
from agent_forge.evomerge.errors import MergeRefused, NoChampion, ParentNotMeasurable
from agent_forge.evomerge.measure.fitness import NOT_MEASURED, MakeEvaluator
from agent_forge.evomerge.phase import run
from agent_forge.registry.tensors import digest_tensors

State = Mapping[str, Tensor]
ARCH = TinyTitan(preset=Preset.nano, vocab_size=264, d_model=32, n_layers=2, n_heads=2, d_ff=64, window=8)
UNUSED = 250
"""A byte that no problem holds."""


@cache
def trained(seed: int) -> dict[str, Tensor]:
    mixture = Mixture([builtin("parity", 1, ARCH.window)], [1.0], ByteTokenizer(), 512, 256)
    trainer = Trainer(
        ARCH,
        draw_all(ARCH, seed),
        resolve(CognateConfig(batch_tokens=512)),
        mixture,
        stage="foundation",
        seed=seed,
        total_steps=20,
        device=torch.device("cpu"),
        regime=FROM_SCRATCH,
    )
    for _ in range(20):
        trainer.step()
    return {name: tensor.clone() for name, tensor in trainer.tensors().items()}


def far_out(model: State) -> dict[str, Tensor]:
    return {name: tensor * 4.45e6 for name, tensor in model.items()}


def with_row(model: State, value: float) -> dict[str, Tensor]:
    table = model["embedding.weight"].clone()
    table[UNUSED] = value
    return {**model, "embedding.weight": table}


CASES: dict[str, Callable[[], list[dict[str, Tensor]]]] = {
    "all weights far out": lambda: [far_out(trained(1)), far_out(trained(2))],
    "one unused row at the end of the range": lambda: [with_row(trained(1), 3.2e38), with_row(trained(2), -3.2e38)],
}


def imported(directory: Path, models: list[dict[str, Tensor]]) -> tuple[MemoryJob, list[str]]:
    job = MemoryJob(directory, "run")
    drafts = [
        ModelDraft(
            name=f"model {index}",
            directory="imported",
            kind=ModelKind.imported,
            specialization=None,
            architecture=ARCH,
            origin=ImportOrigin(filename="m.safetensors"),
            parents=[],
            metrics={},
        )
        for index in range(len(models))
    ]
    return job, [job.register(draft, tensors).id for draft, tensors in zip(drafts, models, strict=True)]


def titans(*_: object) -> Evaluator:
    problems = ProblemSet(("parity",), 1, 16)
    return Evaluator(ARCH, problems, problems)


def known(candidate: Candidate) -> dict[str, object]:
    """All but how long it took."""
    return candidate.model_dump(exclude={"merge_seconds", "evaluate_seconds", "cached"})


def takes_part_in_nothing(job: MemoryJob) -> None:
    """Checks that no candidate with a fault is bred from, ranked, counted, kept or shown as a champion."""
    found = job.candidates()
    faulted = {one.id for one in found if one.fault is not None}
    report = reported(job)
    for one in found:
        assert not faulted & set(one.parents)
        assert one.fault is None or one.fitness == NOT_MEASURED
    for generation in report.generations:
        own = [one for one in found if one.generation == generation.index and one.fault is None]
        assert sorted(generation.ranked) == sorted(one.id for one in own)
        assert generation.faulted == sum(one.generation == generation.index for one in found) - len(own)
        totals = [one.fitness.total for one in own if not one.fitness.partial]
        assert generation.best == max(totals, default=0)
        assert generation.mean == pytest.approx(sum(totals) / max(1, len(totals)))
        assert 0 <= generation.diversity <= 2
        assert generation.champion_id not in faulted
    assert not faulted & {point.candidate_id for point in report.pareto_front}
    assert report.champion is None or report.champion.id not in faulted


@pytest.mark.parametrize("case", CASES)
def test_a_run_goes_on_without_candidates_that_overflow(tmp_path: Path, case: str) -> None:
    job, ids = imported(tmp_path, CASES[case]())
    run(EvoMergeConfig(parents=ids, generations=2), job, titans)
    faults = [one.fault for one in job.candidates() if one.fault is not None]
    assert faults
    assert {fault.kind for fault in faults} <= {"merge_not_finite", "output_not_finite", "loss_not_finite"}
    assert len(job.candidates()) == 16
    takes_part_in_nothing(job)
    report = reported(job)
    assert report.champion is not None
    assert report.champion_model_id is not None
    assert job.load_model(report.champion_model_id)[0].digest == report.champion.digest
    assert report.stopped_by == "generations"
    if "row" in case:
        assert any("`embedding.weight`" in fault.message for fault in faults)


@pytest.mark.parametrize("interruption", [3, 9, 15])
def test_resumed_it_is_the_same_run(tmp_path: Path, interruption: int) -> None:
    models = CASES["one unused row at the end of the range"]()
    whole, ids = imported(tmp_path / "whole", models)
    run(EvoMergeConfig(parents=ids, generations=2, barrier_points=1), whole, titans)
    cut, _ = imported(tmp_path / "cut", models)
    config = EvoMergeConfig(parents=ids, generations=2, barrier_points=1)
    with cut.stopped_at(interruption):
        run(config, cut, titans)
    run(config, cut, titans)
    assert list(map(known, cut.candidates())) == list(map(known, whole.candidates()))
    seconds = {"seconds"}
    assert [cut.generations[index].model_dump(exclude=seconds) for index in range(2)] == [
        whole.generations[index].model_dump(exclude=seconds) for index in range(2)
    ]
    assert cut.reported["champion_heldout"] == whole.reported["champion_heldout"]


class Fragile(TinyEvaluator):
    """Measures real models; finds fault with those that a test names."""

    def __init__(self, faulty: Callable[[State, str], bool]) -> None:
        super().__init__()
        self._faulty = faulty

    def answers(self, tensors: State, split: str, start: int = 0, stop: int | None = None) -> TinyAnswers:
        if self._faulty(tensors, split):
            raise NotMeasurable(Fault(kind="output_not_finite", message=f"the outputs overflow on {split}"))
        return super().answers(tensors, split, start, stop)


def fragile(faulty: Callable[[State, str], bool]) -> MakeEvaluator:
    return lambda *_: Fragile(faulty)  # type: ignore[return-value]


def originals(job: MemoryJob) -> set[str]:
    return {model.digest for model, _ in job.models.values()}


def share(job: MemoryJob, of: int, below: int) -> Callable[[State, str], bool]:
    """A share of all models that are not parents: the same ones in every run."""
    spared = originals(job)

    def faulty(tensors: State, _: str) -> bool:
        digest = digest_tensors(tensors)
        return digest not in spared and int(digest[:8], 16) % of < below

    return faulty


def once_candidates_come(job: MemoryJob) -> Callable[[], bool]:
    """Whether what is measured now are candidates."""
    stages: list[str] = []

    def progress(done: int, total: int, unit: str, stage: str) -> None:
        stages.append(stage)

    job.progress = progress  # type: ignore[method-assign,assignment]
    return lambda: bool(stages) and stages[-1].startswith("generation")


@pytest.mark.parametrize("strategy", ["tournament", "cma_es", "ga", "de", "nsga2"])
@pytest.mark.parametrize("below", [3, 7])
def test_every_strategy_passes_them_over(tmp_path: Path, strategy: str, below: int) -> None:
    """Of eight, three or seven."""
    job, ids = job_with_parents(tmp_path / "whole")
    config = EvoMergeConfig.model_validate({"parents": ids, "generations": 4, "strategy": strategy})
    evaluator = fragile(share(job, 8, below))
    run(config, job, evaluator)
    assert any(one.fault for one in job.candidates())
    takes_part_in_nothing(job)
    assert reported(job).champion_model_id is not None

    again, _ = job_with_parents(tmp_path / "again")
    with again.stopped_at(25):
        run(config, again, evaluator)
    run(config, again, evaluator)
    assert list(map(known, again.candidates())) == list(map(known, job.candidates()))


@pytest.mark.parametrize("strategy", ["tournament", "cma_es", "ga", "de", "nsga2"])
def test_without_one_candidate_that_can_be_measured_the_run_fails_and_says_so(tmp_path: Path, strategy: str) -> None:
    job, ids = job_with_parents(tmp_path)
    config = EvoMergeConfig.model_validate({"parents": ids, "generations": 4, "strategy": strategy})
    begun = once_candidates_come(job)
    with pytest.raises(NoChampion, match="not one of 32 candidates"):
        run(config, job, fragile(lambda *_: begun()))
    assert len(job.candidates()) == 32
    takes_part_in_nothing(job)
    assert "no candidate could be measured" in reported(job).verdict.sentence


def test_chaos_merges_two_at_least(tmp_path: Path) -> None:
    job, ids = job_with_parents(tmp_path)
    run(EvoMergeConfig(parents=ids, generations=6), job, fragile(share(job, 2, 1)))
    bred = [one for one in job.candidates() if one.role is Role.chaos]
    assert all(2 <= len(one.parents) <= 3 for one in bred)
    assert any(one.role is Role.reseed for one in job.candidates())


def test_a_parent_that_cannot_be_measured_refuses_the_run_by_name(tmp_path: Path) -> None:
    job, ids = job_with_parents(tmp_path)
    model, tensors = job.load_model(ids[1])

    def faulty(other: State, _: str) -> bool:
        return all(torch.equal(other[name], tensor) for name, tensor in tensors.items())

    with pytest.raises(ParentNotMeasurable) as refused:
        run(EvoMergeConfig(parents=ids, generations=1), job, fragile(faulty))
    assert model.id in str(refused.value)
    assert model.name in str(refused.value)
    assert "the outputs overflow on selection" in str(refused.value)
    assert (refused.value.code, job.candidates()) == ("parent_not_measurable", [])


@pytest.mark.parametrize("failure", ["fault", "error"])
def test_a_champion_is_registered_whatever_befalls_its_last_measurement(tmp_path: Path, failure: str) -> None:
    job, ids = job_with_parents(tmp_path)
    spared = originals(job)

    class Failing(TinyEvaluator):
        def answers(self, tensors: State, split: str, start: int = 0, stop: int | None = None) -> TinyAnswers:
            if split == "heldout" and digest_tensors(tensors) not in spared:
                if failure == "error":
                    raise RuntimeError("the dataset has gone")
                raise NotMeasurable(Fault(kind="loss_not_finite", message="on sum the loss is not finite"))
            return super().answers(tensors, split, start, stop)

    run(EvoMergeConfig(parents=ids, generations=1), job, lambda *_: Failing())  # type: ignore[arg-type,return-value]
    report = reported(job)
    assert report.champion is not None
    assert report.champion_model_id is not None
    assert job.load_model(report.champion_model_id)[0].digest == report.champion.digest
    assert report.champion_heldout is None
    assert report.champion_heldout_fault is not None
    said = "RuntimeError: the dataset has gone" if failure == "error" else "on sum the loss is not finite"
    assert said in report.champion_heldout_fault.message
    assert report.verdict.level == "unmeasured"
    assert said in report.verdict.sentence
    parents = [one for one in report.baselines if one.name.startswith("parent:")]
    assert [one.heldout is not None and one.heldout_fault is None for one in parents] == [True] * 3
    average = next(one for one in report.baselines if one.name == "uniform_average")
    assert (average.heldout, average.heldout_fault is not None) == (None, True)


def test_a_parent_that_fails_on_the_heldout_problems_alone_is_shown_so(tmp_path: Path) -> None:
    job, ids = job_with_parents(tmp_path)
    lost = {job.load_model(model_id)[0].digest for model_id in ids}

    def faulty(tensors: State, split: str) -> bool:
        return split == "heldout" and digest_tensors(tensors) in lost

    run(EvoMergeConfig(parents=ids, generations=1), job, fragile(faulty))
    report = reported(job)
    assert [one.heldout_fault is not None for one in report.baselines[:3]] == [True] * 3
    assert report.champion_model_id is not None
    assert report.champion_heldout_fault is not None
    assert "no parent can be measured" in report.champion_heldout_fault.message


def test_baselines_and_barriers_without_scores_end_nothing(tmp_path: Path) -> None:
    job, ids = job_with_parents(tmp_path)
    spared, begun = originals(job), once_candidates_come(job)

    def faulty(tensors: State, _: str) -> bool:
        return not begun() and digest_tensors(tensors) not in spared

    run(EvoMergeConfig(parents=ids, generations=1, barrier_points=1), job, fragile(faulty))
    report = reported(job)
    average = next(one for one in report.baselines if one.name == "uniform_average")
    assert average.fault == Fault(kind="output_not_finite", message="the outputs overflow on selection")
    assert (average.selection, average.parameters > 0) == (NOT_MEASURED, True)
    assert [(one.before.barrier, one.before.fault) for one in report.barriers] == [(None, average.fault)] * 3
    assert report.champion_model_id is not None


EXPONENTS = st.floats(min_value=-38, max_value=38.47)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scales=st.lists(st.lists(EXPONENTS, min_size=4, max_size=4), min_size=3, max_size=3))
@example(scales=[[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 6]])  # squares of gradients overflow
def test_whatever_finite_weights_a_run_ends_with_a_reason(tmp_path: Path, scales: list[list[float]]) -> None:
    """Each parent's tensors are scaled, by four factors in turn, over the whole range of float32."""
    job, ids = job_with_parents(tmp_path)
    for model_id, exponents in zip(ids, scales, strict=True):
        model, tensors = job.models[model_id]
        most = torch.finfo(torch.float32).max
        scaled = {
            name: (tensor.double() * 10 ** exponents[index % 4]).clamp(-most, most).float()
            for index, (name, tensor) in enumerate(tensors.items())
        }
        job.models[model_id] = (model.model_copy(update={"digest": digest_tensors(scaled)}), scaled)
    with suppress(MergeRefused):
        run(EvoMergeConfig(parents=ids, generations=2, barrier_points=1, align="never"), job, tiny_evaluator)
    takes_part_in_nothing(job)
