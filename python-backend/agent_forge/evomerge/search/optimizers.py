"""Strategies of pymoo, through its ask and tell (Blank & Deb 2020, IEEE Access 8).

All randomness comes from generators of the run's own: NumPy's global state is neither read nor set. CMA-ES computes
eigenvectors, which another machine may give with another sign: a run is repeated exactly where it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...contract.evomerge import Candidate, EvoMergeConfig, Fitness, Role, StrategyName
from ...contract.report import Baseline
from ..measure.pareto import costs, named_objectives, objectives
from .chance import chance, derived_seed
from .space import Space
from .strategy import Plan, Polish, polish_steps, root_of

if TYPE_CHECKING:
    from pymoo.core.algorithm import Algorithm
    from pymoo.core.population import Population

SIGMA = 0.1
"""First step of CMA-ES, as a share of each coordinate's range."""
SMALLEST_STEP = 1e-3
"""The same: below it CMA-ES has converged, and starts again."""
RESTARTS = 1_000_000


class Optimizer:
    """Implements `strategy.Strategy`. Generation 0 are the space's first points; all others pymoo asks for, but for the
    first of the last generation: the best so far, polished."""

    def __init__(self, config: EvoMergeConfig, space: Space) -> None:
        self._config, self._space = config, space
        self._algorithm: Algorithm | None = None
        self._points = space.first_points(config.population, 0)
        self._asked: Population | None = None
        self._generation = 0
        """That which is asked for next."""
        self._best: Candidate | None = None
        self._worst: tuple[float, ...] = (0.0,)
        """Costs of a candidate that could not be measured."""

    def meet(self, parents: Sequence[Baseline], plain: Fitness | None) -> None:
        best = max(range(len(parents)), key=lambda parent: parents[parent].selection.total)
        self._worst = self._worst_of(parents)
        self._points = self._space.first_points(self._config.population, best)

    def ask(self) -> list[Plan]:
        role = Role.seed
        if self._algorithm is not None:
            self._asked = self._algorithm.ask()
            self._points = self._space.rounded(self._asked.get("X"))
            role = Role.asked
        plans = [
            Plan(role=role, op=self._space.op(point), recipe=self._space.recipe(point), parents=self._config.parents)
            for point in self._points
        ]
        return [self._polishing() or plans[0], *plans[1:]]

    def _polishing(self) -> Plan | None:
        steps = polish_steps(self._config, self._generation)
        if steps == 0 or self._best is None:
            return None
        seed = derived_seed(self._config.seed, self._generation, 0, "polish")
        return Plan(
            role=Role.polished,
            op=self._best.op,
            recipe=root_of(self._best),
            parents=[self._best.id],
            polished=True,
            polish=Polish(start=None, steps=steps, seed=seed),
        )

    def tell(self, candidates: Sequence[Candidate], diversity: float) -> None:
        from pymoo.core.evaluator import Evaluator
        from pymoo.core.population import Population
        from pymoo.problems.static import StaticProblem

        polished = self._polishing() is not None
        self._generation += 1
        if polished:  # the search is over, and a polished candidate is no point of the space
            return
        for one in candidates:
            if one.fault is None and (self._best is None or one.fitness.total > self._best.fitness.total):
                self._best = one
        scores = np.array([self._costs(candidate) for candidate in candidates], dtype=np.float64)
        asked = self._asked if self._asked is not None else Population.new("X", self._points)
        # what was measured is what was rounded
        asked.set("X", self._points)
        problem = self._problem(scores.shape[1])
        Evaluator().eval(StaticProblem(problem, F=scores), asked)
        if self._algorithm is None:
            self._algorithm = self._begin(problem, asked)
            asked = self._algorithm.ask()
        self._algorithm.tell(infills=asked)

    def _costs(self, candidate: Candidate) -> tuple[float, ...]:
        """What pymoo minimises."""
        if candidate.fault is not None:
            return self._worst
        if self._config.strategy == "nsga2":
            return costs(objectives(candidate))
        return (-candidate.fitness.total,)

    def _worst_of(self, parents: Sequence[Baseline]) -> tuple[float, ...]:
        """No candidate costs more: it solves nothing, and has the bytes of all parents. Finite, since pymoo takes
        differences of costs."""
        if self._config.strategy == "nsga2":
            tasks = parents[0].selection.tasks
            return costs(named_objectives(sum(parent.bytes for parent in parents), dict.fromkeys(tasks, 0.0)))
        return (0.0,)

    def _problem(self, goals: int) -> Any:
        from pymoo.core.problem import Problem

        low, high = self._space.limits
        return Problem(n_var=len(low), n_obj=goals, xl=low, xu=high)

    def _begin(self, problem: Any, first: Population) -> Algorithm:
        """The algorithm that begins with these, whose scores it will not ask for again."""
        from pymoo.core.termination import NoTermination

        config = self._config
        algorithm = ALGORITHMS[config.strategy](config, first)
        algorithm.setup(problem, seed=derived_seed(config.seed, 0, 0, "pymoo"), termination=NoTermination())
        if config.strategy == "cma_es":
            # with a number here cma seeds NumPy's global state
            algorithm.options["seed"] = np.nan
        return algorithm


def _cma_es(config: EvoMergeConfig, first: Population) -> Algorithm:
    """From the best of the first points."""
    from pymoo.algorithms.soo.nonconvex.cmaes import CMAES

    drawn = chance(config.seed, 0, 0, "cma_es")
    return CMAES(
        x0=first,
        sigma=SIGMA,
        pop_size=config.population,
        restarts=RESTARTS,
        incpopsize=1,
        tolx=SMALLEST_STEP,
        tolfun=0,
        tolfunhist=0,
        tolflatfitness=np.inf,
        # a candidate more than the budget has
        eval_final_mean=False,
        randn=lambda *shape: drawn.standard_normal(shape),
        # else it would read options from a file of that name in the working directory
        signals_filename="",
    )


def _ga(config: EvoMergeConfig, first: Population) -> Algorithm:
    from pymoo.algorithms.soo.nonconvex.ga import GA

    return GA(pop_size=config.population, sampling=first)


def _de(config: EvoMergeConfig, first: Population) -> Algorithm:
    from pymoo.algorithms.soo.nonconvex.de import DE

    return DE(pop_size=config.population, sampling=first)


def _nsga2(config: EvoMergeConfig, first: Population) -> Algorithm:
    from pymoo.algorithms.moo.nsga2 import NSGA2

    return NSGA2(pop_size=config.population, sampling=first)


ALGORITHMS: dict[StrategyName, Callable[[EvoMergeConfig, Population], Algorithm]] = {
    "cma_es": _cma_es,
    "ga": _ga,
    "de": _de,
    "nsga2": _nsga2,
}
