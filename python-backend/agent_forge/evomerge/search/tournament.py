"""The tournament: who breeds. But for its last class pure: no tensor, no clock, no state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...contract.evomerge import Candidate, Fitness, Role
from ...contract.report import Baseline
from ..recipe.frame import Frame
from .chance import chance, derived_seed
from .genome import Genome, TensorWeights, express, unpolished
from .mutation import Scheme, alone, averaged, drawn_anew, even, layer_source, mutated, plain
from .strategy import Plan, Polish, polish_steps, root_of

POPULATION = 8
WINNERS = 2
CHILDREN = 3
"""Per winner."""
FEWEST = 2
"""Smallest group that a chaos child is merged from."""
SIZES = (1.0, 0.5, 0.2)
"""Sizes of the mutations of a winner's children, one each: far steps find, near ones refine."""


@dataclass(frozen=True)
class Offspring:
    """A genome that is to be tried."""

    role: Role
    genome: Genome
    parents: list[str]
    """As in `Plan`."""
    polish: Polish | None = None


@dataclass(frozen=True)
class Ranked:
    """What was measured: a candidate, or what there was before any."""

    id: str
    genome: Genome
    fitness: float
    partial: bool = False
    """Measured on fewer problems, since it was worse than the fourth best."""
    models: tuple[str, ...] = ()
    """For what is not a candidate: ids of the models that it comes from."""

    @property
    def names(self) -> list[str]:
        """As its children name it."""
        return list(self.models) or [self.id]


def first_generation(scheme: Scheme) -> list[Offspring]:
    """The 2³ combinations: {linear | slerp} → {dare | ties} → {frankenmerge | dfs}."""
    seed, parents = scheme.settings.seed, len(scheme.parents)
    plans = []
    for slot in range(POPULATION):
        dares = slot & 2 == 0
        drawn = chance(seed, 0, slot, "layer sources")
        genome = Genome(
            first="linear" if slot & 1 == 0 else "slerp",
            first_weights=even(parents),
            second="dare_linear" if dares else "ties",
            second_weights=even(parents + 1),
            density=0.5 if dares else 0.2,
            scale=1.0,
            third="frankenmerge" if slot & 4 == 0 else "dfs",
            third_weights=even(parents + 1),
            layer_sources=[layer_source(drawn, parents) for _ in range(scheme.depth)],
            temperature=1.0,
            mask_seed=derived_seed(seed, 0, slot, "mask"),
            noise_seed=None,
        )
        plans.append(Offspring(role=Role.seed, genome=genome, parents=list(scheme.parents)))
    return plans


def next_generation(
    scheme: Scheme, generation: int, ranked: Sequence[Ranked], champion: Ranked, diversity: float
) -> list[Offspring]:
    """Breed generation `generation` from the one before, best first.

    The two winners have three children each, the six worst form two groups of three with one child each. With
    elitism the champion of all generations so far is one of the winners. Where diversity has fallen below
    `min_diversity`, the two worst are drawn anew from the parents instead of having children.

    ranked: those that were measured. Of fewer than eight, the champion takes the place of a winner that is missing,
    and a group of fewer than two is drawn anew from the parents.
    """
    settings = scheme.settings
    winners = list(ranked[:WINNERS])
    if settings.elitism and champion.id not in {winner.id for winner in winners}:
        winners = [champion, *winners[: WINNERS - 1]]
    winners += [champion] * (WINNERS - len(winners))
    plans = []
    for slot in range(WINNERS * CHILDREN):
        winner = winners[slot // CHILDREN]
        genome = mutated(winner.genome, scheme, generation, slot, SIZES[slot % CHILDREN])
        plans.append(Offspring(role=Role.winner, genome=genome, parents=winner.names))
    worst = ranked[WINNERS:]
    for slot in range(WINNERS * CHILDREN, POPULATION):
        group = worst[slot - WINNERS * CHILDREN :: POPULATION - WINNERS * CHILDREN]
        if diversity < settings.min_diversity or len(group) < FEWEST:
            plans.append(
                Offspring(role=Role.reseed, genome=drawn_anew(scheme, generation, slot), parents=list(scheme.parents))
            )
            continue
        mean = averaged([one.genome for one in group], scheme, generation, slot)
        genome = mutated(mean, scheme, generation, slot, 1.0)
        plans.append(Offspring(role=Role.chaos, genome=genome, parents=[one.id for one in group]))
    return plans


def rank(candidates: Sequence[Ranked]) -> list[Ranked]:
    """Best first, those that stopped early last; of equals, the earlier slot first."""
    return sorted(candidates, key=lambda one: (one.partial, -one.fitness))


def polishing(scheme: Scheme, generation: int, champion: Ranked) -> Offspring | None:
    """The champion with its weights improved, in place of its first child; None where it is not the time for that."""
    steps = polish_steps(scheme.settings, generation)
    if steps == 0:
        return None
    genome = champion.genome.model_copy(update={"noise_seed": None})
    seed = derived_seed(scheme.settings.seed, generation, 0, "polish")
    polish = Polish(start=genome.polish, steps=steps, seed=seed)
    return Offspring(role=Role.polished, genome=genome, parents=champion.names, polish=polish)


class Tournament:
    """Implements `strategy.Strategy`. Until a candidate is better, the best parent or the plain sum of all, whichever
    is fitter, competes as the champion."""

    def __init__(self, scheme: Scheme, frame: Frame) -> None:
        self._scheme, self._frame = scheme, frame
        self._index = 0
        self._asked = first_generation(scheme)
        self._champion: Ranked | None = None

    def meet(self, parents: Sequence[Baseline], plain_sum: Fitness | None) -> None:
        scheme, known = self._scheme, []
        if self._frame.basis == "raw":  # decoupled, no parent is itself
            best = max(range(len(parents)), key=lambda parent: parents[parent].selection.total)
            known.append(
                Ranked("parent", alone(scheme, best), parents[best].selection.total, models=(scheme.parents[best],))
            )
        if plain_sum is not None:
            genome = plain(scheme, [1.0] * len(scheme.parents))
            known.append(Ranked("sum", genome, plain_sum.total, models=scheme.parents))
        self._champion = max(known, key=lambda one: one.fitness, default=None)

    def ask(self) -> list[Plan]:
        return [
            Plan(
                role=one.role,
                op=one.genome.op,
                recipe=express(one.genome, self._frame) if one.polish is None else unpolished(one.genome, self._frame),
                parents=one.parents,
                polished=one.polish is not None or one.genome.polish is not None,
                polish=one.polish,
            )
            for one in self._asked
        ]

    def tell(self, candidates: Sequence[Candidate], diversity: float) -> None:
        ranked = rank(
            [
                Ranked(candidate.id, _told(one, candidate), candidate.fitness.total, candidate.fitness.partial)
                for candidate, one in zip(candidates, self._asked, strict=True)
                if candidate.fault is None
            ]
        )
        best = next((one for one in ranked if not one.partial), None)
        if best is not None and (self._champion is None or best.fitness > self._champion.fitness):
            self._champion = best
        self._index += 1
        if self._champion is None:  # nothing could be measured so far
            self._asked = [
                Offspring(Role.reseed, drawn_anew(self._scheme, self._index, slot), list(self._scheme.parents))
                for slot in range(POPULATION)
            ]
            return
        self._asked = next_generation(self._scheme, self._index, ranked, self._champion, diversity)
        polished = polishing(self._scheme, self._index, self._champion)
        if polished is not None:
            self._asked[0] = polished


def _told(asked: Offspring, candidate: Candidate) -> Genome:
    """The genome of what was made: that of a polished candidate has the weights that were found."""
    if asked.polish is None:
        return asked.genome
    weights: TensorWeights = root_of(candidate).parameters["weights"]
    return asked.genome.model_copy(update={"polish": weights})
