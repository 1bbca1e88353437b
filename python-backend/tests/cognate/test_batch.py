from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agent_forge.cognate.batch import Encoded, collate, encode
from agent_forge.cognate.datasets.problem import Problem
from agent_forge.cognate.datasets.registry import builtin
from agent_forge.cognate.mixture import Mixture, foreign, mean_lengths, problem_shares, shares
from agent_forge.cognate.tokenizer import ByteTokenizer
from agent_forge.contract.cognate import Specialization

CODEC = ByteTokenizer()
NAMES = ("arithmetic", "deduction", "recall", "parity", "composition")
DATASETS = [builtin(name, 2, 32) for name in NAMES]


def _says(encoded: Encoded) -> list[tuple[str, str]]:
    """(text read so far, what is said then)"""
    return [
        (bytes(encoded.ids[: place + 1]).decode(), "end" if target == CODEC.end else chr(target))
        for place, target in zip(encoded.places, encoded.targets, strict=True)
    ]


def test_built_in_problems_are_labelled_at_hints_answer_and_end() -> None:
    encoded = encode(Problem("7+5=", "12", ((2, "2"),)), CODEC, True, 256)
    assert _says(encoded) == [("7+5", "2"), ("7+5=", "1"), ("7+5=1", "2"), ("7+5=12", "end")]
    assert encoded.scored == [False, True, True, False]


def test_text_has_a_line_break_before_its_answer() -> None:
    encoded = encode(Problem("Two and two?", "4"), CODEC, False, 256)
    assert _says(encoded) == [("Two and two?\n", "4"), ("Two and two?\n4", "end")]


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60), st.integers(8, 64))
def test_cutting_keeps_the_prompts_end_and_the_answers_beginning(prompt: str, answer: str, limit: int) -> None:
    encoded = encode(Problem(prompt, answer), CODEC, False, limit)
    assert len(encoded.ids) <= limit
    whole = encode(Problem(prompt, answer), CODEC, False, 10**6)
    kept = sum(encoded.scored)
    assert encoded.targets[:kept] == whole.targets[:kept]
    assert (encoded.targets[-1] == CODEC.end) == (kept == sum(whole.scored))
    shown = len(encoded.ids) - kept
    assert encoded.ids[:shown] == CODEC.encode(f"{prompt}\n")[-shown:]
    if len(whole.ids) > limit:
        assert len(encoded.ids) == limit
        assert shown >= min(limit // 2, len(CODEC.encode(prompt)) + 1)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_collating_keeps_every_token_and_label(lengths: list[int]) -> None:
    problems = [Encoded([n] * size, [0, size - 1], [100 + n, 200 + n], [False, True]) for n, size in enumerate(lengths)]
    batch = collate(problems, 256)
    assert sum(rows * length for rows, length in batch.layout.groups) == len(batch.tokens)
    assert Counter(batch.tokens[batch.layout.real].tolist()) == Counter(
        n for n, s in enumerate(lengths) for _ in range(s)
    )
    assert bool((batch.tokens[~batch.layout.real] == 256).all())
    for label, target, owner, scored in zip(batch.labels, batch.targets, batch.problems, batch.scored, strict=True):
        assert int(batch.tokens[label]) == int(owner)
        assert int(batch.layout.positions[label]) == (lengths[int(owner)] - 1 if scored else 0)
        assert int(target) == (200 if scored else 100) + int(owner)
    assert len({length for _, length in batch.layout.groups}) == len(batch.layout.groups)


@pytest.mark.parametrize(
    ("family", "own", "expected"),
    [
        (None, 0.8, [0.2] * 5),
        (Specialization.reasoning, 0.8, [0.4, 0.4, 0.2 / 3, 0.2 / 3, 0.2 / 3]),
        (Specialization.memory_integration, 0.8, [0.05, 0.05, 0.8, 0.05, 0.05]),
        (Specialization.memory_integration, 1.0, [0, 0, 1, 0, 0]),
    ],
)
def test_shares(family: Specialization | None, own: float, expected: list[float]) -> None:
    assert shares(DATASETS, [1.0] * 5, family, own) == pytest.approx(expected)


def test_a_family_without_a_dataset_trains_on_all() -> None:
    assert shares(DATASETS[:2], [1.0, 3.0], Specialization.memory_integration, 0.8) == [0.25, 0.75]


@pytest.mark.parametrize("wanted", [[0.2] * 5, [0.5, 0.1, 0.2, 0.1, 0.1], [0.0, 0.0, 1.0, 0.0, 0.0]])
def test_datasets_get_their_share_of_the_tokens(wanted: list[float]) -> None:
    lengths = mean_lengths(DATASETS, CODEC, 256)
    mixture = Mixture(DATASETS, problem_shares(wanted, lengths), CODEC, 50_000, 256)
    lesson = mixture.lesson(1, "foundation", 0)
    # Each dataset says itself by its alphabet: count rows by the characters that only it has.
    found = Counter[str]()
    start = 0
    for rows, length in lesson.batch.layout.groups:
        for row in lesson.batch.tokens[start : start + rows * length].view(rows, length).tolist():
            text = bytes(id for id in row if id < 256).decode()
            found[_dataset_of(text)] += len(text)
        start += rows * length
    total = sum(found.values())
    assert [found[name] / total for name in NAMES] == pytest.approx(wanted, abs=0.03)


def _dataset_of(text: str) -> str:
    if "?" in text:
        return "recall"
    if ":" in text:
        return "deduction"
    if ">" in text:
        return "composition"
    return "arithmetic" if "+" in text else "parity"


def test_batches_are_a_function_of_seed_stage_and_step() -> None:
    mixture = Mixture(DATASETS, [0.2] * 5, CODEC, 512, 256)
    first = mixture.lesson(1, "foundation", 3).batch
    torch.manual_seed(5)
    assert torch.equal(mixture.lesson(1, "foundation", 3).batch.tokens, first.tokens)
    assert int(first.layout.real.sum()) <= 512
    for other in (mixture.lesson(2, "foundation", 3), mixture.lesson(1, "x", 3), mixture.lesson(1, "foundation", 4)):
        assert other.batch.tokens.tolist() != first.tokens.tolist()


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (None, [False] * 5),
        (Specialization.reasoning, [False, False, True, True, True]),
        (Specialization.memory_integration, [True, True, False, True, True]),
    ],
)
def test_what_is_foreign_to_a_family(family: Specialization | None, expected: list[bool]) -> None:
    assert foreign(DATASETS, family) == expected


def test_nothing_is_foreign_where_nothing_is_ones_own() -> None:
    assert foreign(DATASETS[:2], Specialization.memory_integration) == [False, False]


@pytest.mark.parametrize("step", range(5))
def test_rehearsed_problems_come_again_alone_with_their_labels_in_order(step: int) -> None:
    rehearsed = foreign(DATASETS, Specialization.reasoning)
    lesson = Mixture(DATASETS, [0.2] * 5, CODEC, 512, 256, rehearsed).lesson(1, "reasoning", step)
    assert lesson.rehearsal is not None
    assert 0 < lesson.learned < len(lesson.batch.labels)
    assert torch.equal(lesson.batch.targets[lesson.learned :], lesson.rehearsal.targets)
    seen = lesson.batch.tokens[lesson.batch.labels][lesson.learned :]
    assert torch.equal(seen, lesson.rehearsal.tokens[lesson.rehearsal.labels])
    plain = Mixture(DATASETS, [0.2] * 5, CODEC, 512, 256).lesson(1, "reasoning", step).batch
    assert torch.equal(plain.tokens, lesson.batch.tokens)
    pairs = [sorted(zip(one.labels.tolist(), one.targets.tolist(), strict=True)) for one in (plain, lesson.batch)]
    assert pairs[0] == pairs[1]
    assert int(lesson.rehearsal.layout.real.sum()) < int(lesson.batch.layout.real.sum())


def test_without_rehearsal_every_problem_is_learned() -> None:
    lesson = Mixture(DATASETS, [0.2] * 5, CODEC, 512, 256).lesson(1, "reasoning", 0)
    assert lesson.rehearsal is None
    assert lesson.learned == len(lesson.batch.labels)
