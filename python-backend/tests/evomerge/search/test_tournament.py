from __future__ import annotations

import pytest
import torch
from evomerge.recorded import FRAME, PARENTS, all_measured, parents, scored

from agent_forge.contract.evomerge import EvoMergeSettings, Role
from agent_forge.contract.recipe import Leaf, MergeNode
from agent_forge.contract.report import Basis
from agent_forge.evomerge.errors import UnknownOp
from agent_forge.evomerge.ops.registry import merge_op_named
from agent_forge.evomerge.recipe.materialise import materialise
from agent_forge.evomerge.recipe.tree import nodes
from agent_forge.evomerge.search.genome import Genome, express, polished, second_stage_ops
from agent_forge.evomerge.search.mutation import SCALE_RANGE, WEIGHT_RANGE, Scheme, alone, mutated
from agent_forge.evomerge.search.stopping import Gains
from agent_forge.evomerge.search.tournament import (
    Ranked,
    Tournament,
    first_generation,
    next_generation,
    rank,
)


def scheme(**settings: object) -> Scheme:
    return Scheme(EvoMergeSettings.model_validate(settings), PARENTS, 4)


def measured(plans: list[Genome], generation: int = 0) -> list[Ranked]:
    """Slot 0 is the worst."""
    return rank([Ranked(f"g{generation}.s{slot}", genome, slot / 10) for slot, genome in enumerate(plans)])


def test_generation_0_is_the_eight_combinations() -> None:
    plans = first_generation(scheme())
    assert sorted((plan.genome.first, plan.genome.second, plan.genome.third) for plan in plans) == sorted(
        (first, second, third)
        for first in ("linear", "slerp")
        for second in ("dare_linear", "ties")
        for third in ("frankenmerge", "dfs")
    )
    assert all(plan.role is Role.seed and plan.parents == list(PARENTS) for plan in plans)
    recipe = express(plans[0].genome, FRAME)
    assert [getattr(node, "op", None) or node.model_id for node in nodes(recipe)] == [
        "frankenmerge", "dare_linear", "a", "b", "c", "linear", "a", "b", "c", "f", "a", "b", "c",
    ]  # fmt: skip


def test_the_two_best_have_three_children_and_the_six_worst_two() -> None:
    ranked = measured([plan.genome for plan in first_generation(scheme())])
    plans = next_generation(scheme(), 1, ranked, ranked[0], diversity=1)
    assert [(plan.role.value, plan.parents) for plan in plans] == [
        *[("winner", ["g0.s7"])] * 3,
        *[("winner", ["g0.s6"])] * 3,
        ("chaos", ["g0.s5", "g0.s3", "g0.s1"]),
        ("chaos", ["g0.s4", "g0.s2", "g0.s0"]),
    ]


@pytest.mark.parametrize(("elitism", "winners"), [(True, ["old", "g1.s7"]), (False, ["g1.s7", "g1.s6"])])
def test_elitism(elitism: bool, winners: list[str]) -> None:
    ours = scheme(elitism=elitism)
    ranked = measured([plan.genome for plan in first_generation(ours)], 1)
    plans = next_generation(ours, 2, ranked, Ranked("old", ranked[3].genome, 5.0), diversity=1)
    assert [plans[0].parents[0], plans[3].parents[0]] == winners
    assert {parent for plan in plans[6:] for parent in plan.parents} == {f"g1.s{slot}" for slot in range(6)}


def test_too_little_diversity_reseeds_the_two_worst() -> None:
    ours = scheme(min_diversity=0.1)
    ranked = measured([plan.genome for plan in first_generation(ours)])
    plans = next_generation(ours, 1, ranked, ranked[0], diversity=0.05)
    assert [plan.role for plan in plans[6:]] == [Role.reseed] * 2
    assert all(plan.parents == list(PARENTS) for plan in plans[6:])
    assert all(plan.genome.first is None and plan.genome.third is None for plan in plans[6:])


def test_chaos_child_averages_its_three_parents() -> None:
    ours = scheme(ops=["ties"])
    genomes = [plan.genome for plan in first_generation(ours)]
    genomes = [genome.model_copy(update={"scale": slot * 0.1}) for slot, genome in enumerate(genomes)]
    ranked = measured(genomes)
    plan = next_generation(ours, 1, ranked, ranked[0], diversity=1)[6]
    assert abs(plan.genome.scale - (0.5 + 0.3 + 0.1) / 3) < 4 * 0.15
    assert plan.genome.second == "ties"


def test_all_randomness_comes_from_seed_generation_and_slot() -> None:
    genome = first_generation(scheme())[0].genome
    one = mutated(genome, scheme(), 3, 5, 1.0)
    assert one == mutated(genome, scheme(), 3, 5, 1.0)
    others = [
        mutated(genome, scheme(), 4, 5, 1.0),
        mutated(genome, scheme(), 3, 6, 1.0),
        mutated(genome, scheme(seed=1), 3, 5, 1.0),
    ]
    assert all(one.second_weights != other.second_weights for other in others)
    assert len({one.noise_seed, *(other.noise_seed for other in others)}) == 4


def test_mutation_rates() -> None:
    genome = first_generation(scheme())[0].genome
    children = [mutated(genome, scheme(), 1, slot, 1.0) for slot in range(600)]
    before = [w for row in genome.second_weights.values() for w in row]
    after = [[w for row in child.second_weights.values() for w in row] for child in children]
    changed = sum(a != b for row in after for a, b in zip(row, before, strict=True)) / (600 * len(before))
    assert abs(changed - (1 - 0.6 * 0.8)) < 0.03
    assert abs(sum(child.density != genome.density for child in children) / 600 - 0.15 * 0.95) < 0.04
    switched = [
        child for child in children
        if (child.first, child.second, child.third) != (genome.first, genome.second, genome.third)
    ]  # fmt: skip
    assert abs(len(switched) / 600 - (1 - 0.9**3)) < 0.05
    spread = sum((child.scale - 1) ** 2 for child in children) / 600
    assert abs(spread**0.5 - 0.15) < 0.02


def test_noise_is_left_out_where_it_is_off() -> None:
    genome = first_generation(scheme())[0].genome
    assert mutated(genome, scheme(mutation_rate=0), 1, 0, 1.0).noise_seed is None
    assert mutated(genome, scheme(mutation_sigma=0), 1, 0, 1.0).noise_seed is None


@pytest.mark.parametrize("elitism", [True, False])
def test_fifty_generations_stay_bounded_and_valid(elitism: bool) -> None:
    ours = scheme(elitism=elitism, seed=3)
    plans = first_generation(ours)
    champion = None
    forms = set()
    for generation in range(50):
        for plan in plans:
            recipe = express(plan.genome, FRAME)
            forms.add((plan.genome.first, plan.genome.second, plan.genome.third))
            assert len(list(nodes(recipe))) <= 14
            assert len(recipe.model_dump_json()) < 6000
            for node in nodes(recipe):
                if not isinstance(node, Leaf):
                    op = merge_op_named(node.op)
                    assert op.parameters(node.parameters) == node.parameters, "every parameter, defaults filled in"
                    assert op.inputs.least <= len(node.inputs)
                    assert (node.base is not None) == ("base" in op.needs)
            weights = [w for row in plan.genome.second_weights.values() for w in row]
            assert WEIGHT_RANGE[0] <= min(weights) <= max(weights) <= WEIGHT_RANGE[1]
            assert SCALE_RANGE[0] <= plan.genome.scale <= SCALE_RANGE[1]
            assert 0 < plan.genome.density <= 1
        # fitness: any fixed function of the genome
        ranked = rank(
            [Ranked(f"{generation}.{slot}", p.genome, -abs(p.genome.scale - 0.7)) for slot, p in enumerate(plans)]
        )
        champion = ranked[0] if champion is None or ranked[0].fitness > champion.fitness else champion
        plans = next_generation(ours, generation + 1, ranked, champion, diversity=1)
    assert len(forms) > 10


def test_ops_may_be_chosen() -> None:
    assert second_stage_ops([], 4) == sorted(second_stage_ops([], 4))
    assert {"linear", "ties", "fisher"} <= set(second_stage_ops([], 4))
    assert not {"mutate", "dfs", "frankenmerge"} & set(second_stage_ops([], 4))
    assert second_stage_ops(["ties", "dfs"], 4) == ["ties"]
    with pytest.raises(UnknownOp, match="tyes"):
        second_stage_ops(["tyes"], 4)
    ours = scheme(ops=["ties", "linear"])
    ranked = measured([plan.genome for plan in first_generation(ours)])
    for generation in range(1, 40):
        plans = next_generation(ours, generation, ranked, ranked[0], diversity=1)
        assert {plan.genome.second for plan in plans[6:]} <= {"ties", "linear"}


@pytest.mark.parametrize(
    ("bests", "patience", "stops_after"),
    [
        ([0.5, 0.5005, 0.501, 0.5], 1, 2),
        ([0.5, 0.501, 0.502, 0.503], 1, None),
        ([0.5, 0.4, 0.4, 0.6, 0.1, 0.1, 0.1], 3, 7),
        ([0.5] * 9, None, None),
        ([0.5] * 9, 5, 6),
    ],
)
def test_patience(bests: list[float], patience: int | None, stops_after: int | None) -> None:
    gains, stopped = Gains(), None
    for count, best in enumerate(bests, 1):
        gains = gains.after(best, 0.001)
        if gains.exhausted(patience):
            stopped = count
            break
    assert stopped == stops_after


@pytest.mark.parametrize(
    ("plain_sum", "basis", "first"),
    [
        (None, "raw", ["b"]),
        (0.85, "raw", ["b"]),
        (0.92, "raw", list(PARENTS)),
        # decoupled, no parent is itself
        (0.85, "decoupled", list(PARENTS)),
    ],
)
def test_the_best_that_there_was_competes_until_a_candidate_is_better(
    plain_sum: float | None, basis: Basis, first: list[str]
) -> None:
    ours = Tournament(scheme(), FRAME.model_copy(update={"basis": basis}))
    ours.meet(parents(0.2, 0.9, 0.3), scored(plain_sum, {}) if plain_sum is not None else None)
    for generation, best, expected in ((0, 0.8, first), (1, 0.95, ["run.g1.s7"])):
        totals = [best - 0.1 * (7 - slot) for slot in range(8)]
        ours.tell(all_measured(ours.ask(), totals, generation), 1.0)
        assert ours.ask()[0].parents == expected


def test_the_champion_is_polished_in_generation_1_and_every_twentieth_after() -> None:
    ours = Tournament(scheme(polish_steps=40), FRAME)
    ours.meet(parents(0.2, 0.9, 0.3), None)
    found = {}
    for generation in range(42):
        plans = ours.ask()
        for plan in plans:
            if plan.polish is not None:
                found[generation] = plan.polish
                assert (plan.role, plan.polished) == (Role.polished, True)
        ours.tell(all_measured(plans, [0.95 + generation / 1000] * 8, generation), 1.0)
    assert {generation: polish.steps for generation, polish in found.items()} == {1: 40, 21: 10, 41: 10}
    assert found[1].start is None
    assert len({polish.seed for polish in found.values()}) == 3


def test_children_of_what_is_polished_keep_its_weights() -> None:
    ours = Tournament(scheme(), FRAME)
    ours.meet(parents(0.2, 0.9, 0.3), None)
    ours.tell(all_measured(ours.ask(), [0.1] * 8, 0), 1.0)
    plans = ours.ask()
    found = all_measured(plans, [0.99, *[0.1] * 7], 1)
    weights = {"output_layer.bias": [0.5, 0.25, 0.0, 1.0]}
    found[0] = found[0].model_copy(update={"recipe": polished(plans[0].recipe, weights, FRAME)})
    ours.tell(found, 1.0)
    children = [plan for plan in ours.ask() if plan.parents == [found[0].id]]
    assert len(children) == 3
    for child in children:
        assert child.polished
        assert any(
            isinstance(part, MergeNode) and part.parameters.get("weights") == weights for part in nodes(child.recipe)
        )


def test_a_parent_alone_is_that_parent() -> None:
    tensors = {"embedding.weight": torch.linspace(-1, 1, 12).reshape(3, 4)}
    models = {
        name: {key: value * scale for key, value in tensors.items()}
        for name, scale in zip("abcf", range(1, 5), strict=True)
    }
    for parent, name in enumerate(PARENTS):
        made = materialise(express(alone(scheme(), parent), FRAME), lambda leaf: models[leaf.model_id])
        torch.testing.assert_close(made, models[name])
