from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from memory_job import MemoryJob
from tiny import TINY
from torch import Tensor

from agent_forge.cognate import phase
from agent_forge.cognate.datasets.registry import builtin
from agent_forge.cognate.errors import TrainingDiverged
from agent_forge.cognate.evaluation import Evaluator, ProblemSet
from agent_forge.cognate.initialization import draw_all
from agent_forge.cognate.mixture import Mixture
from agent_forge.cognate.presets import resolve
from agent_forge.cognate.tokenizer import ByteTokenizer
from agent_forge.cognate.training import FROM_SCRATCH, Regime, Trainer
from agent_forge.contract.cognate import CognateConfig, DatasetChoice
from agent_forge.contract.errors import Cancelled, Paused
from agent_forge.contract.model import ModelKind
from agent_forge.contract.recipe import TrainingOrigin
from agent_forge.worker.failure import describe

SMALL = CognateConfig(
    foundation_steps=2,
    train_steps=4,
    batch_tokens=96,
    eval_interval=2,
    eval_problems=8,
    checkpoint_interval=3,
    dropout=0.1,
    datasets=[DatasetChoice(name=name) for name in ("arithmetic", "recall", "parity")],
)


def _trainer(seed: int = 3, regime: Regime = FROM_SCRATCH, **options: float) -> Trainer:
    config = resolve(CognateConfig(batch_tokens=128).model_copy(update=options))
    mixture = Mixture([builtin("parity", 1, 8)], [1.0], ByteTokenizer(), 128, 256)
    return Trainer(
        TINY,
        draw_all(TINY, 1),
        config,
        mixture,
        stage="reasoning",
        seed=seed,
        total_steps=12,
        device=torch.device("cpu"),
        regime=regime,
    )


def _equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


REGIMES = [FROM_SCRATCH, Regime(muon=False, rate=0.5)]


@pytest.mark.parametrize("regime", REGIMES)
def test_every_parameter_that_can_learn_does(regime: Regime) -> None:
    trainer = _trainer(regime=regime)
    before = {name: tensor.clone() for name, tensor in trainer.tensors().items()}
    for _ in range(2):
        trainer.step()
    same = {name for name, tensor in trainer.tensors().items() if torch.equal(tensor, before[name])}
    assert same == set()


def test_the_rate_rises_and_falls() -> None:
    trainer = _trainer(warmup_fraction=0.25)
    rates = [trainer.rate(step) for step in range(12)]
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert rates[-1] == pytest.approx(0.2)


@pytest.mark.parametrize("regime", REGIMES)
def test_state_through_json_resumes_bit_for_bit(regime: Regime) -> None:
    whole = _trainer(regime=regime, dropout=0.2)
    losses = [whole.step().loss for _ in range(6)]
    part = _trainer(regime=regime, dropout=0.2)
    assert [part.step().loss for _ in range(3)] == losses[:3]
    tensors, state = part.export_state()
    tensors, state = {n: t.clone() for n, t in tensors.items()}, json.loads(json.dumps(state))
    again = _trainer(regime=regime, dropout=0.2)
    again.import_state(tensors, state)
    assert [again.step().loss for _ in range(3)] == losses[3:]
    assert _equal(again.tensors(), whole.tensors())


@pytest.mark.parametrize("dropped", ["adamw", "muon", "steps"])
def test_without_any_part_of_the_state_the_result_differs(dropped: str) -> None:
    whole = _trainer()
    for _ in range(4):
        whole.step()
    part = _trainer()
    for _ in range(2):
        part.step()
    tensors, state = part.export_state()
    tensors = {n: t.clone() for n, t in tensors.items()}
    again = _trainer()
    if dropped == "steps":
        again.import_state(tensors, state | {"steps": 0})
    else:
        lost = {n: t for n, t in tensors.items() if not n.startswith(dropped)}
        with pytest.raises(ValueError, match="is incomplete"):
            again.import_state(lost, state)
        zeroed = {n: torch.zeros_like(t) if n.startswith(dropped) else t for n, t in tensors.items()}
        again.import_state(zeroed, state)
    for _ in range(2):
        again.step()
    assert not _equal(again.tensors(), whole.tensors())


def test_state_of_another_stage_is_refused() -> None:
    tensors, state = _trainer().export_state()
    with pytest.raises(ValueError, match="offered to"):
        _trainer(seed=4).import_state(tensors, state)


@pytest.mark.parametrize("regime", REGIMES)
def test_a_step_that_is_not_finite_is_refused_by_name_and_changes_nothing(regime: Regime) -> None:
    trainer = _trainer(regime=regime, muon_learning_rate=1e30, adamw_learning_rate=1e30)
    before: dict[str, Tensor] = {}

    def train() -> None:
        for _ in range(12):
            before.update((name, tensor.clone()) for name, tensor in trainer.tensors().items())
            result = trainer.step()
            assert all(map(math.isfinite, (result.loss, result.ponder, result.gradient_norm)))

    with pytest.raises(TrainingDiverged, match=r"stage reasoning, step \d+ of 12: the .* is (nan|inf)") as refused:
        train()
    assert refused.value.step == trainer.steps + 1
    assert _equal(before, trainer.tensors())


@pytest.mark.parametrize("eval_interval", [1, 100])
def test_a_run_that_diverges_fails_with_a_reason_and_reports_finite_numbers_alone(
    tmp_path: Path, eval_interval: int
) -> None:
    """With `eval_interval` 1 the evaluation meets the overflow first, else a training step does."""
    job = MemoryJob(tmp_path)
    rates = {"muon_learning_rate": 1e30, "adamw_learning_rate": 1e30, "eval_interval": eval_interval}
    with pytest.raises(TrainingDiverged) as refused:
        phase.run(SMALL.model_copy(update=rates | {"foundation_steps": 100}), job)
    failure = describe(refused.value, [])
    assert failure.code == "training_diverged"
    assert failure.message.startswith(f"TrainingDiverged: stage foundation, step {refused.value.step} of 100: ")
    assert "muon_learning_rate" in (failure.hint or "")
    assert not job.models
    for told in [*job.steps, *job.evaluations.values()]:
        # Raises where a number is NaN or infinite: JSON has neither.
        json.dumps(told.model_dump(mode="python"), allow_nan=False, default=str)


def _specialist(teacher: dict[str, Tensor] | None, rehearsed: list[bool]) -> Trainer:
    """Half its problems are parity, half arithmetic."""
    mixture = Mixture(
        [builtin("parity", 1, 8), builtin("arithmetic", 1, 8)], [0.5, 0.5], ByteTokenizer(), 512, 256, rehearsed
    )
    return Trainer(
        TINY,
        draw_all(TINY, 1),
        resolve(CognateConfig(batch_tokens=512)),
        mixture,
        stage="adaptive_computation",
        seed=3,
        total_steps=60,
        device=torch.device("cpu"),
        teacher=teacher,
    )


def test_a_specialist_goes_on_answering_what_it_rehearses() -> None:
    foundation = _specialist(None, [])
    for _ in range(60):
        foundation.step()
    known = {name: tensor.clone() for name, tensor in foundation.tensors().items()}
    problems = ProblemSet(("parity", "arithmetic"), 1, 64)
    measured = Evaluator(TINY, problems, problems)

    def losses(teacher: dict[str, Tensor] | None, rehearsed: list[bool]) -> tuple[float, float]:
        """(of what is learned, change of what is rehearsed)"""
        trainer = _specialist(teacher, rehearsed)
        trainer.model.load_state_dict(known)
        for _ in range(60):
            trainer.step()
        before, after = (measured.evaluate(one, "selection").tasks for one in (known, trainer.tensors()))
        return after[0].loss - before[0].loss, after[1].loss - before[1].loss

    kept, learned = losses(known, [False, True]), losses(None, [])
    assert kept[0] < -0.02
    assert learned[1] < -0.05
    assert abs(kept[1]) < abs(learned[1]) / 3


def test_what_already_answers_as_its_teacher_has_nothing_to_learn_from_it() -> None:
    trainer = _specialist(draw_all(TINY, 1), [True, True])
    result = trainer.step()
    assert result.loss == pytest.approx(0, abs=1e-6)
    assert result.gradient_norm == pytest.approx(0, abs=1e-3)


def test_training_lowers_the_loss_on_held_out_problems(tmp_path: Path) -> None:
    job = MemoryJob(tmp_path)
    config = CognateConfig(
        specializations=["memory_integration"],
        seeds=[1],
        initialization="independent",
        train_steps=40,
        batch_tokens=256,
        eval_interval=40,
        difficulty=1,
        datasets=[DatasetChoice(name="deduction")],
    )
    phase.run(config, job)
    first, last = (job.evaluations["memory_integration", step].tasks[0] for step in (0, 40))
    assert last.loss < 0.8 * first.loss
    (model, _) = next(iter(job.models.values()))
    assert model.metrics["loss/deduction"] == last.loss


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> MemoryJob:
    job = MemoryJob(tmp_path_factory.mktemp("scratch"))
    phase.run(SMALL, job)
    return job


def test_a_run_makes_a_foundation_and_its_specialists(undisturbed: MemoryJob) -> None:
    models = [model for model, _ in undisturbed.models.values()]
    assert [m.kind for m in models] == [ModelKind.foundation, *[ModelKind.specialist] * 3]
    assert [m.name for m in models] == [
        f"cognate_tinytitan_{stage}_un01test_20260102_030405"
        for stage in ("foundation", "reasoning", "memory_integration", "adaptive_computation")
    ]
    foundation = models[0]
    for model, seed in zip(models[1:], (42, 1337, 2023), strict=True):
        assert isinstance(model.origin, TrainingOrigin)
        assert model.parents == [foundation.id]
        assert model.origin.initial is not None
        assert model.origin.initial.digest == foundation.digest
        assert model.origin.seed == seed
    assert len({m.digest for m in models}) == 4
    assert undisturbed.last_progress == (14, 14, "steps", "adaptive_computation")
    assert sorted(step for stage, step in undisturbed.evaluations if stage == "reasoning") == [0, 2, 4]
    assert undisturbed.evaluations["reasoning", 0].train_loss is None
    assert len(undisturbed.steps) == 14


@pytest.mark.parametrize(("poll", "stop"), [(1, Paused), (4, Cancelled), (6, Paused), (14, Paused)])
def test_resumed_equals_undisturbed(undisturbed: MemoryJob, tmp_path: Path, poll: int, stop: type[Exception]) -> None:
    job = MemoryJob(tmp_path)
    with job.stopped_at(poll, stop):
        phase.run(SMALL, job)
    phase.run(SMALL, job)
    assert {i: m.digest for i, (m, _) in job.models.items()} == {
        i: m.digest for i, (m, _) in undisturbed.models.items()
    }
    for key, evaluation in undisturbed.evaluations.items():
        again = job.evaluations[key]
        assert (again.tasks, again.train_loss) == (evaluation.tasks, evaluation.train_loss)


def test_replaying_an_origin_gives_the_same_bytes(undisturbed: MemoryJob) -> None:
    for model, tensors in undisturbed.models.values():
        assert isinstance(model.origin, TrainingOrigin)
        initial = model.origin.initial
        before = None if initial is None else undisturbed.load_model(initial.model_id)[1]
        assert _equal(phase.replay(model.origin, before), tensors)


def test_creation_alone_draws_each_model_from_its_seed(tmp_path: Path) -> None:
    job = MemoryJob(tmp_path)
    phase.run(CognateConfig(foundation_steps=0, train_steps=0, creation_baseline=True), job)
    assert len(job.models) == 3
    for (model, tensors), seed in zip(job.models.values(), (42, 1337, 2023), strict=True):
        assert model.architecture is not None
        assert _equal(tensors, draw_all(model.architecture, seed))
    assert job.reported["creation"]["seconds"] > 0
    assert job.reported["creation"]["plain_seconds"] > 0
    assert not job.steps
    assert not list(tmp_path.iterdir())


def test_independent_models_share_nothing(tmp_path: Path) -> None:
    job = MemoryJob(tmp_path)
    phase.run(SMALL.model_copy(update={"initialization": "independent"}), job)
    assert [m.kind for m, _ in job.models.values()] == [ModelKind.specialist] * 3
    for model, _ in job.models.values():
        assert isinstance(model.origin, TrainingOrigin)
        assert model.origin.initial is None
        assert model.parents == []


def test_no_global_randomness_takes_part(undisturbed: MemoryJob, tmp_path: Path) -> None:
    torch.manual_seed(99)
    state = torch.get_rng_state()
    job = MemoryJob(tmp_path)
    phase.run(SMALL.model_copy(update={"creation_baseline": True}), job)
    assert torch.equal(torch.get_rng_state(), state)
    assert [m.digest for m, _ in job.models.values()] == [m.digest for m, _ in undisturbed.models.values()]
