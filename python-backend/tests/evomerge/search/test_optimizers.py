"""The strategies of pymoo, on functions of the recipe that cost nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evomerge.recorded import FRAME, PARENTS, all_measured, faulted, measured, parents

from agent_forge.contract.evomerge import EvoMergeConfig, Role
from agent_forge.evomerge.errors import BadParameter
from agent_forge.evomerge.measure.pareto import pareto_front
from agent_forge.evomerge.search.strategies import strategy_of
from agent_forge.evomerge.search.strategy import POPULATIONS, Plan, Strategy

STRATEGIES = ("cma_es", "ga", "de", "nsga2")
TARGET = np.linspace(0.3, 0.9, 20)


def point(plan: Plan) -> np.ndarray[Any, np.dtype[np.float64]]:
    parameters = plan.recipe.parameters
    weights = [weight for row in parameters["weights"].values() for weight in row]
    return np.array([*weights, parameters["density"], parameters["scale"]])


def near(plan: Plan) -> float:
    return -float(((point(plan) - TARGET) ** 2).sum())


def constant(plan: Plan) -> float:
    return 0.5


def asked(times: int, score: Callable[[Plan], float] = near, **settings: object) -> list[list[Plan]]:
    strategy, found = search(**settings), []
    for generation in range(times):
        found.append(strategy.ask())
        strategy.tell(all_measured(found[-1], [score(plan) for plan in found[-1]], generation), 1.0)
    return found


def search(**settings: object) -> Strategy:
    return strategy_of(EvoMergeConfig.model_validate({"parents": list(PARENTS)} | settings), FRAME)


class Forbidden:
    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"random numbers of the system's own: {name}")


@pytest.fixture
def no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may draw from the operating system's entropy."""
    default_rng = np.random.default_rng

    def seeded(seed: object = None) -> object:
        return default_rng(seed) if seed is not None else Forbidden()  # type: ignore[arg-type]

    asked(2, strategy="cma_es")  # imports first: SciPy draws examples for its own documentation
    monkeypatch.setattr(np.random, "default_rng", seeded)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.usefixtures("no_chance")
def test_all_randomness_comes_from_the_seed(strategy: str) -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    first = asked(15, strategy=strategy, seed=3)
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]
    np.random.seed(2)
    assert asked(15, strategy=strategy, seed=3) == first
    other = asked(15, strategy=strategy, seed=4)
    assert all(ours != theirs for ours, theirs in zip(first[1:], other[1:], strict=True))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_is_asked_for(strategy: str) -> None:
    generations = asked(8, strategy=strategy)
    for index, plans in enumerate(generations):
        assert {plan.role for plan in plans} == {Role.asked if index else Role.seed}
        assert all((plan.op, plan.parents) == ("breadcrumbs", list(PARENTS)) for plan in plans)
        points = np.array([point(plan) for plan in plans])
        np.testing.assert_array_equal(points, points.round(6))
        assert points.min() >= 0
        assert points[:, :18].max() <= 2
        assert (points[:, 18] >= 0.05).all()
    assert len({tuple(point(plan)) for plans in generations for plan in plans}) > 50


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_last_generation_polishes_the_best(strategy: str) -> None:
    *before, last = asked(4, strategy=strategy, generations=4, polish_steps=5)
    best = max((plan for plans in before for plan in plans), key=near)
    assert (last[0].role, last[0].op, last[0].recipe) == (Role.polished, best.op, best.recipe)
    assert last[0].polished
    assert last[0].polish is not None
    assert (last[0].polish.start, last[0].polish.steps) == (None, 5)
    assert {plan.role for plan in last[1:]} == {Role.asked}
    without = asked(4, strategy=strategy, generations=4, polish_steps=0)
    assert (without[:3], without[3][1:]) == (before, last[1:])
    assert without[3][0].polish is None


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_finds_what_is_there(strategy: str) -> None:
    bests = [max(map(near, plans)) for plans in asked(60, strategy=strategy)]
    assert max(bests) > 0.2 * bests[0]


@pytest.mark.parametrize(("strategy", "limits"), list(POPULATIONS.items()))
def test_populations(strategy: str, limits: tuple[int, int]) -> None:
    least, most = limits
    for population in {least, min(least + 1, most), most}:
        assert [len(plans) for plans in asked(4, constant, strategy=strategy, population=population)] == [
            population
        ] * 4
    if least > 2:
        with pytest.raises(BadParameter, match=f"{strategy} breeds"):
            search(strategy=strategy, population=least - 1)


def test_several_ops_are_a_gene() -> None:
    generations = asked(10, constant, strategy="ga", ops=["ties", "linear", "breadcrumbs"])
    ops = {plan.op for plans in generations for plan in plans}
    assert ops == {"ties", "linear", "breadcrumbs"}
    assert all(plan.recipe.op == plan.op for plans in generations for plan in plans)


@pytest.mark.parametrize(("score", "smallest"), [(near, 0.003), (constant, 0.2)])
def test_cma_es_goes_on_where_it_has_converged(score: Callable[[Plan], float], smallest: float) -> None:
    generations = asked(140, score, strategy="cma_es", population=32)
    spreads = [float(np.array([point(plan) for plan in plans]).std(axis=0).mean()) for plans in generations[1:]]
    assert min(spreads) < smallest
    assert max(spreads[spreads.index(min(spreads)) :]) > 0.9 * spreads[0]


def test_no_file_of_the_working_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = asked(3, strategy="cma_es")
    (tmp_path / "cma_signals.in").write_text("{'maxiter': 1}")
    monkeypatch.chdir(tmp_path)
    assert asked(3, strategy="cma_es") == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["cma_signals.in"]


def test_nsga2_follows_the_accuracies_and_not_the_fitness() -> None:
    """Two tasks of which each wants another density: the front spreads, where one number would choose."""
    strategy = search(strategy="nsga2")
    found = []
    for generation in range(40):
        plans = strategy.ask()
        found += [
            measured(
                plan,
                0.5,
                slot,
                {"sparse": 1 - plan.recipe.parameters["density"], "dense": plan.recipe.parameters["density"] ** 2},
                generation=generation,
            )
            for slot, plan in enumerate(plans)
        ]
        strategy.tell(found[-8:], 1.0)
    last = [one.recipe.parameters["density"] for one in found[-8:]]
    assert min(last) < 0.2
    assert max(last) > 0.8
    assert len(pareto_front(found)) > 20


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_candidates_without_scores_cost_most(strategy: str) -> None:
    """Half of the space has none: the search ends in the other half, as often as it is repeated."""

    def told(generations: int) -> list[list[float]]:
        ours, densities = search(strategy=strategy), []
        ours.meet(parents(0.2, 0.9, 0.3), None)
        for generation in range(generations):
            plans = ours.ask()
            densities.append([plan.recipe.parameters["density"] for plan in plans])
            found = all_measured(plans, [0.5 + plan.recipe.parameters["density"] / 10 for plan in plans], generation)
            ours.tell([faulted(one) if one.recipe.parameters["density"] > 0.5 else one for one in found], 1.0)
        return densities

    densities = told(30)
    assert any(density > 0.5 for density in densities[0])
    assert max(np.mean(densities[-5:], axis=0)) <= 0.55
    assert told(30) == densities
