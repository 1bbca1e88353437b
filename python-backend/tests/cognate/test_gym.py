"""Of the real library: without it these tests fail, and `npm run setup -- gym` is what helps."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_forge.cognate.batch import encode
from agent_forge.cognate.datasets import extra, gym
from agent_forge.cognate.datasets.gym import GymDataset, check_gym, load_gym
from agent_forge.cognate.datasets.problem import Split, split_of
from agent_forge.cognate.datasets.registry import check_datasets, load_datasets
from agent_forge.cognate.draws import Draws
from agent_forge.cognate.errors import InvalidSetting
from agent_forge.cognate.tokenizer import ByteTokenizer
from agent_forge.contract.cognate import DatasetChoice

BACKEND = Path(__file__).parents[2]
FAST = ("basic_arithmetic", "bf", "binary_matrix", "coin_flip", "letter_counting", "spell_backward", "syllogism")


def test_every_task_of_the_library_is_offered_or_refused_with_a_reason() -> None:
    load_gym("gym:basic_arithmetic")
    from reasoning_gym.factory import DATASETS  # type: ignore[import-not-found]

    assert set(gym.TASKS) | set(gym.REFUSED) == set(DATASETS)
    assert not set(gym.TASKS) & set(gym.REFUSED)


def test_one_version_in_all_places() -> None:
    extras = tomllib.loads((BACKEND / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["gym"] == [f"{gym.PACKAGE}=={gym.VERSION}"]
    for suffix in ("in", "lock"):
        assert f"\n{gym.PACKAGE}=={gym.VERSION}" in (BACKEND / f"requirements-gym.{suffix}").read_text()
    assert gym.PACKAGE not in (BACKEND / "requirements.lock").read_text()


@pytest.mark.parametrize("task", FAST)
def test_splits_are_disjoint_and_fixed(task: str) -> None:
    dataset, again = load_gym(f"gym:{task}"), load_gym(f"gym:{task}")
    draws = Draws("train")
    train = {dataset.draw(draws, Split.train).prompt for _ in range(100)}
    found = {split: dataset.problems(split, 24) for split in (Split.selection, Split.heldout)}
    for split, problems in found.items():
        prompts = {problem.prompt for problem in problems}
        assert len(prompts) == len(problems) == 24
        assert all(split_of(prompt) is split for prompt in prompts)
        assert not prompts & train
        assert problems == again.problems(split, 24)
        assert problems[:8] == dataset.problems(split, 8)


@pytest.mark.parametrize("task", FAST)
def test_the_tasks_own_verifier_accepts_what_is_stored(task: str) -> None:
    import reasoning_gym

    source = reasoning_gym.create_dataset(task, seed=0, size=1 << 20)
    entries = {source[number]["question"]: source[number] for number in range(300)}
    dataset = GymDataset(f"gym:{task}", source)
    asked = [problem for number in range(300) if (problem := dataset._problem(number)) is not None]
    assert len(asked) > 250
    for problem in asked:
        assert source.score_answer(problem.answer, entries[problem.prompt]) == 1.0


def test_what_another_process_draws_is_the_same() -> None:
    """With another seed of Python's hashes: an order of sets must not show."""
    code = (
        "from agent_forge.cognate.datasets.gym import load_gym\n"
        "from agent_forge.cognate.datasets.problem import Split\n"
        f"for task in {FAST!r}: print(load_gym(f'gym:{{task}}').problems(Split.heldout, 8))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] != ""


def test_what_is_not_answered_in_full_is_dropped() -> None:
    class Task:
        def __getitem__(self, number: int) -> dict[str, Any]:
            answers: tuple[Any, ...] = ("right", "wrong", "", None, 7)
            return {"question": f"question {number}", "answer": answers[number % 5]}

        def score_answer(self, answer: str, entry: dict[str, Any]) -> float:
            return 1.0 if answer == "right" else 0.99

    problems = GymDataset("gym:x", Task()).problems(Split.heldout, 40)
    assert {problem.answer for problem in problems} == {"right"}
    assert len(problems) == 40


def test_a_task_without_such_answers_ends_in_words() -> None:
    class Task:
        def __getitem__(self, number: int) -> dict[str, Any]:
            return {"question": str(number), "answer": None}

    with pytest.raises(InvalidSetting, match="no problem of the train split"):
        GymDataset("gym:x", Task()).draw(Draws(1), Split.train)


def test_it_is_text_like_the_other_texts() -> None:
    (dataset,) = load_datasets([DatasetChoice(name="gym:basic_arithmetic")], 2, 32, [])
    problem = dataset.problems(Split.heldout, 1)[0]
    encoded = encode(problem, ByteTokenizer(), dataset.by_character, 256)
    text = bytes(encoded.ids).decode()
    assert text == f"{problem.prompt}\n{problem.answer}"
    scored = [target for target, counts in zip(encoded.targets, encoded.scored, strict=True) if counts]
    assert bytes(scored).decode() == problem.answer
    assert dataset.family is None


def gone(name: str) -> str:
    raise importlib.metadata.PackageNotFoundError(name)


@pytest.mark.parametrize(
    ("name", "installed", "message"),
    [
        ("gym:basic_arithmetic", gone, "needs the package reasoning-gym 0.1.25, which is not installed: npm run setup"),
        ("gym:basic_arithmetic", lambda _: "0.1.24", "but 0.1.24 is installed"),
        ("gym:basic_arithmetics", lambda _: gym.VERSION, "is not a task of reasoning-gym"),
        ("gym:", lambda _: gym.VERSION, "is not a task of reasoning-gym"),
        ("gym:knight_swap", lambda _: gym.VERSION, "other problems in another process"),
        ("gym:rubiks_cube", lambda _: gym.VERSION, "holds no answers"),
    ],
)
def test_what_stands_in_the_way(
    name: str, installed: Callable[[str], str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extra, "version", installed)
    for act in (lambda: check_datasets([DatasetChoice(name=name)], []), lambda: load_gym(name)):
        with pytest.raises(InvalidSetting, match=message):
            act()


def test_admission_does_not_import_it() -> None:
    code = (
        "import sys; from agent_forge.cognate.datasets.gym import check_gym; check_gym('gym:basic_arithmetic')\n"
        "sys.exit('reasoning_gym' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert check_gym("gym:lcm") == "lcm"
