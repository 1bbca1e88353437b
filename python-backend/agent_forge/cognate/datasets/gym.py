"""`gym:` datasets: tasks of reasoning-gym (Stojanovski et al. 2025, arXiv:2505.24760), an optional package."""

from __future__ import annotations

import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from typing import Any

from ..draws import Draws
from ..errors import InvalidSetting
from .extra import require_extra
from .problem import Problem, Split, different, split_of

PREFIX = "gym:"
PACKAGE = "reasoning-gym"
VERSION = "0.1.25"
"""Its problems are part of a run: another version would train another model."""
INSTALL = "npm run setup -- gym"

_NAMES = """
ab advanced_geometry aiw arc_1d arc_agi base_conversion basic_arithmetic bf binary_alternation binary_matrix
bitwise_arithmetic caesar_cipher calendar_arithmetic chain_sum circuit_logic coin_flip color_cube_rotation
complex_arithmetic count_bits count_primes countdown course_schedule cryptarithm decimal_arithmetic decimal_chain_sum
dice emoji_mystery family_relationships figlet_font fraction_simplification futoshiki game_of_life game_of_life_halting
gcd group_anagrams gsm_symbolic jugs kakurasu knights_knaves largest_island lcm leg_counting letter_counting
letter_jumble mahjong_puzzle manipulate_matrix maze mini_sudoku modulo_grid n_queens needle_haystack number_filtering
number_format number_sequence number_sorting palindrome_generation palindrome_partitioning path_star
polynomial_equations pool_matrix power_function prime_factorization products puzzle24 quantum_lock rearc rectangle_count
rotate_matrix rotten_oranges self_reference sentence_reordering shortest_path simple_equations simple_geometry
simple_integration sokoban spell_backward spiral_matrix string_insertion string_manipulation string_splitting
string_synthesis sudoku survo syllogism time_intervals tower_of_hanoi tsumego word_sequence_reversal word_sorting
zebra_puzzles
"""
TASKS = tuple(_NAMES.split())
"""Named here so that a run is admitted without the package's import, which takes seconds."""

_UNREPEATABLE = """
codeio intermediate_integration isomorphic_strings knight_swap list_functions polynomial_multiplication ransom_note
"""
REFUSED = {
    **dict.fromkeys(
        _UNREPEATABLE.split(), "makes other problems in another process: no run could be resumed or proven"
    ),
    **dict.fromkeys(
        ("boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"),
        "holds no answers, only a judge of answers",
    ),
    **dict.fromkeys(("acre", "word_ladder"), "makes all its problems before the first, none by its number"),
    "composite": "is made of other tasks: name those",
}

_SIZE = 1 << 20
_TRIES = 1000


@dataclass(frozen=True)
class GymDataset:
    """Each problem is a function of its number, up to 2²⁰; its split is what its prompt hashes to, as everywhere."""

    name: str
    source: Any
    family: None = None
    by_character: bool = False

    def draw(self, draws: Draws, split: Split) -> Problem:
        """Raises InvalidSetting where a thousand problems in a row are of other splits or without a valid answer."""
        for _ in range(_TRIES):
            problem = self._problem(draws.below(_SIZE))
            if problem is not None and split_of(problem.prompt) is split:
                return problem
        raise InvalidSetting("datasets", self.name, f"gave no problem of the {split} split in {_TRIES} tries")

    def problems(self, split: Split, count: int) -> list[Problem]:
        """Different problems as far as the task has that many; small spaces repeat after 20 tries each."""
        draws = Draws("problems", self.name, split)
        return different(lambda: self.draw(draws, split), count)

    def _problem(self, number: int) -> Problem | None:
        """None where there is no answer in words, or the task's own verifier does not accept it fully."""
        with redirect_stdout(StringIO()):  # some tasks print their progress
            entry = self.source[number]
            answer = entry["answer"]
            if not (isinstance(answer, str) and answer and self.source.score_answer(answer, entry) == 1.0):
                return None
        return Problem(str(entry["question"]), answer)


def check_gym(name: str, field: str = "datasets") -> str:
    """The task of this name, which this machine has. Raises InvalidSetting."""
    task = name.removeprefix(PREFIX)
    allowed = f"{PREFIX}<task>, of {', '.join(TASKS)}"
    if task in REFUSED:
        raise InvalidSetting(field, name, f"cannot be learned from: it {REFUSED[task]}", allowed)
    if task not in TASKS:
        raise InvalidSetting(field, name, f"is not a task of {PACKAGE} {VERSION}", allowed)
    require_extra(PACKAGE, VERSION, INSTALL, name, field)
    return task


def load_gym(name: str, field: str = "datasets") -> GymDataset:
    """Raises InvalidSetting with what stands in the way."""
    task = check_gym(name, field)
    try:
        with warnings.catch_warnings():
            # One of its dependencies warns of its own syntax when it is compiled.
            warnings.simplefilter("ignore", SyntaxWarning)
            library: Any = import_module("reasoning_gym")
        source = library.create_dataset(task, seed=0, size=_SIZE)
    except Exception as error:  # whatever the package or a dependency raises, the user must see
        raise InvalidSetting(field, name, f"cannot be made: {type(error).__name__}: {error}") from error
    return GymDataset(name, source)
