from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_forge.cognate.datasets.problem import Problem, Split
from agent_forge.cognate.datasets.registry import builtin, dataset_infos
from agent_forge.cognate.datasets.text import text_dataset
from agent_forge.cognate.draws import Draws

NAMES = ("arithmetic", "deduction", "recall", "parity", "composition")
WINDOW = 32


def _arithmetic(prompt: str) -> dict[int, str]:
    """Character → what is said there, worked out independently: Python's own arithmetic on a parenthesised text."""
    expected = {}
    for end in range(3, len(prompt), 2):
        expression = prompt[0]
        for i in range(1, end, 2):
            expression = f"({expression}){prompt[i : i + 2]}"
        expected[end - 1] = str(eval(expression) % 10)  # noqa: S307 - digits and + - * only
    return expected


def _deduction(prompt: str) -> str:
    rules, start = prompt.split(":")
    follows = dict(re.findall(r"(\w)(\w)", rules))
    found = ""
    while start in follows:
        start = follows[start]
        found += start
    return found


def _recall(prompt: str) -> dict[int, str]:
    values = dict(re.findall(r"([a-z])([A-J])", re.split(r"[.,;:]", prompt)[0]))
    return {m.start() + 1: values[m.group(1)] for m in re.finditer(r"\?([a-z])", prompt)}


def _parity(prompt: str) -> dict[int, str]:
    return {i: str(prompt[: i + 1].count("1") % 2) for i in range(len(prompt) - 1)}


def _composition(prompt: str, cups: int) -> dict[int, str]:
    """By moving every cup's content, not the ball alone."""
    content = ["ball" if cup == prompt[0] else "" for cup in "VWXYZ"[:cups]]
    expected = {}
    for i, letter in enumerate(prompt[2:-1], start=2):
        left = "!#$%&".index(letter)
        right = (left + 1) % cups
        content[left], content[right] = content[right], content[left]
        expected[i] = "VWXYZ"[content.index("ball")]
    return expected


def _check(name: str, difficulty: int, problem: Problem) -> None:
    hints = dict(problem.hints)
    match name:
        case "deduction":
            assert problem.answer == _deduction(problem.prompt)
        case "recall":
            said = _recall(problem.prompt)
            assert said.pop(len(problem.prompt) - 1) == problem.answer
            assert hints == said
            # Distances: the last pair is out of the window of the first question's letter.
            body = re.split(r"[.,;:]", problem.prompt)[0]
            assert problem.prompt.index("?") + 1 - (len(body) - 1) >= WINDOW
        case _:
            said = (
                _composition(problem.prompt, {1: 3, 2: 3, 3: 4, 4: 4, 5: 5}[difficulty])
                if name == "composition"
                else {"arithmetic": _arithmetic, "parity": _parity}[name](problem.prompt)
            )
            assert hints == said
            assert problem.answer == said[max(said)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("difficulty", [1, 2, 3, 4, 5])
@given(seed=st.integers(0, 2**53))
@settings(max_examples=8)
def test_answers_and_hints_are_exact(name: str, difficulty: int, seed: int) -> None:
    for split in Split:
        _check(name, difficulty, builtin(name, difficulty, WINDOW).draw(Draws(seed), split))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("difficulty", [1, 2, 5])
def test_splits_are_disjoint_and_fixed(name: str, difficulty: int) -> None:
    dataset = builtin(name, difficulty, WINDOW)
    found = {split: {p.prompt for p in dataset.problems(split, 64)} for split in Split}
    assert len(set.union(*found.values())) == sum(map(len, found.values()))
    assert dataset.problems(Split.heldout, 64) == dataset.problems(Split.heldout, 64)
    assert dataset.problems(Split.heldout, 64)[:8] == dataset.problems(Split.heldout, 8)
    draws = Draws("train")
    train = {dataset.draw(draws, Split.train).prompt for _ in range(200)}
    assert not train & (found[Split.selection] | found[Split.heldout])
    if difficulty >= 2:
        assert all(len(prompts) == 64 for prompts in found.values())


@pytest.mark.parametrize("name", NAMES)
def test_harder_problems_are_longer(name: str) -> None:
    mean = [
        sum(len(p.prompt) for p in builtin(name, difficulty, WINDOW).problems(Split.heldout, 20)) / 20
        for difficulty in (1, 3, 5)
    ]
    assert mean == sorted(mean)
    assert mean[0] < mean[2]


def test_the_registry_lists_real_problems() -> None:
    infos = dataset_infos()
    assert [info.name for info in infos] == list(NAMES)
    for info in infos:
        examples = builtin(info.name, 2, 32).problems(Split.heldout, 1)
        assert (info.example_prompt, info.example_answer) == (examples[0].prompt, examples[0].answer)


def test_what_the_api_needs_does_not_import_torch() -> None:
    modules = ", ".join(
        f"agent_forge.cognate.{m}" for m in ("datasets.registry", "presets", "flops", "tokenizer", "errors")
    )
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_a_sorted_file_is_measured_on_is_mixed() -> None:
    problems = [Problem(f"{subject} {number}?", str(number)) for subject in ("a", "b") for number in range(400)]
    found = text_dataset("file:sorted.jsonl", problems)
    for split in (Split.selection, Split.heldout):
        first = [problem.prompt[0] for problem in found.problems(split, 40)]
        assert 8 <= first.count("a") <= 32
    assert [p.prompt for p in found.parts[Split.train]] == [p.prompt for p in problems if p in found.parts[Split.train]]
