from __future__ import annotations

import pytest
import torch

from agent_forge.cognate.datasets.problem import Split
from agent_forge.cognate.draws import Draws
from agent_forge.contract.architecture import Preset, TinyTitan
from benchmarks import _mqar as mqar
from benchmarks._peers import answer, peers

TINY = TinyTitan(preset=Preset.nano, vocab_size=264, d_model=32, n_layers=2, n_heads=2, d_ff=64, window=8)


@pytest.mark.parametrize("pairs", [1, 8, 32])
@pytest.mark.parametrize("gap", [0, 100])
def test_every_key_is_asked_once_and_answered_as_stored(pairs: int, gap: int) -> None:
    for seed in range(20):
        found = mqar.problem(Draws(seed), pairs, gap)
        text = found.prompt + found.answer
        stored = dict(zip(text[: 2 * pairs : 2], text[1 : 2 * pairs : 2], strict=True))
        assert len(stored) == pairs
        assert stored.keys() <= set(mqar.KEYS)
        assert set(stored.values()) <= set(mqar.VALUES)
        assert set(text[2 * pairs : 2 * pairs + gap]) <= set(mqar.FILLER)
        asked = text[2 * pairs + gap :]
        assert dict(zip(asked[::2], asked[1::2], strict=True)) == stored
        assert [found.prompt[index] for index, _ in found.hints] == list(asked[:-2:2])
        assert [value for _, value in found.hints] == list(asked[1:-2:2])


def test_training_stays_within_what_fits_and_repeats_itself() -> None:
    training = mqar.Training(pairs=4, gap=16)
    problems = training.problems(Split.train, 200)
    assert problems == training.problems(Split.train, 200)
    assert {len(one.hints) + 1 for one in problems} == {1, 2, 3, 4}
    gaps = {sum(character in mqar.FILLER for character in one.prompt) for one in problems}
    assert (min(gaps), max(gaps)) == (0, 16)


def test_every_query_of_a_cell_counts_and_nothing_else() -> None:
    cell = mqar.cell(4, 32, 5)
    assert cell == mqar.cell(4, 32, 5)
    assert [sum(one.scored) for one in cell] == [4] * 5
    said = [chr(t) for one in cell for t, counts in zip(one.targets, one.scored, strict=True) if counts]
    assert set(said) <= set(mqar.VALUES)


@pytest.mark.parametrize("which", [0, 1])
def test_a_model_that_always_says_a_answers_what_is_a(which: int) -> None:
    peer = peers(TINY)[which]
    weights = peer.first_weights(1)
    weights["output_layer.bias"] = torch.zeros(264).index_fill_(0, torch.tensor([ord("A")]), 1e6)
    cell = mqar.cell(8, 16, 40)
    found = answer(peer.kind(peer.arch).bind(weights), cell)
    right = sum(target == ord("A") for one in cell for target in one.targets)
    assert found.accuracy == pytest.approx(right / 320)
    assert 0 < found.depth <= TINY.n_layers
