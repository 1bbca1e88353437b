"""Users' own text: JSONL of {prompt, answer} or {prompt, choices, answer}, or plain text cut into windows."""

from __future__ import annotations

import codecs
import json
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from ...contract.cognate import Specialization
from ..draws import Draws
from ..errors import InvalidSetting
from ..userfile import resolve_file
from .problem import Problem, Split, split_of

MAX_FILE_BYTES = 256 * 2**20
CHECKED_BYTES = 2**20
"""As much of a file is read before a run is admitted: some milliseconds."""
_SUFFIXES = (".jsonl", ".txt")
WINDOW_CHARACTERS = 240
_COMPLETION = '{"prompt": "…", "answer": "…"}'
_CHOICE = '{"prompt": "…", "choices": ["…", "…"], "answer": 0}, or the text of the right choice as answer'


def resolve_dataset_path(name: str, roots: Sequence[Path], field: str = "datasets") -> Path:
    """A .jsonl or .txt file. Raises InvalidSetting."""
    return resolve_file(name, roots, _SUFFIXES, MAX_FILE_BYTES, field)


@dataclass(frozen=True)
class TextDataset:
    """Problems from text that is wholly in memory, split by a hash of their content."""

    name: str
    parts: dict[Split, tuple[Problem, ...]]
    family: Specialization | None = None
    by_character: bool = False

    def draw(self, draws: Draws, split: Split) -> Problem:
        return draws.choice(self.parts[split])

    def problems(self, split: Split, count: int) -> list[Problem]:
        return list(self.parts[split][:count])


def text_dataset(name: str, problems: Iterable[Problem], field: str = "datasets") -> TextDataset:
    """Splits problems, repeated ones once. Raises InvalidSetting where a split would be empty."""
    parts: dict[Split, dict[Problem, None]] = {split: {} for split in Split}
    for problem in problems:
        # Windows of plain text have no prompt: the answer is their content.
        parts[split_of(problem.prompt or problem.answer)][problem] = None
    for split, found in parts.items():
        if not found:
            counts = ", ".join(f"{split} {len(part)}" for split, part in parts.items())
            raise InvalidSetting(field, name, f"has too few problems to fill the {split} split ({counts})")
    # a file may be sorted by subject: what is measured on its first problems must not depend on that
    measured = {split: tuple(sorted(parts[split], key=_digest)) for split in (Split.selection, Split.heldout)}
    return TextDataset(name, {Split.train: tuple(parts[Split.train]), **measured})


def _digest(problem: Problem) -> bytes:
    return blake2b(f"{problem.prompt}\x1f{problem.answer}".encode(), digest_size=8).digest()


def load_file(
    name: str, path: Path, field: str = "datasets", window_characters: int = WINDOW_CHARACTERS
) -> TextDataset:
    """`path` as resolved before; plain text is cut into windows of so many characters.

    Raises InvalidSetting naming the line that cannot be read.
    """
    return text_dataset(name, _problems(name, path, path.read_bytes(), field, window_characters), field)


def check_file(name: str, path: Path, field: str = "datasets", window_characters: int = WINDOW_CHARACTERS) -> None:
    """As `load_file`, of the file's first MiB: an error further on shows when the run reads the whole file.

    Raises InvalidSetting.
    """
    with path.open("rb") as file:
        head = file.read(CHECKED_BYTES + 1)
    if len(head) <= CHECKED_BYTES:
        text_dataset(name, _problems(name, path, head, field, window_characters), field)
        return
    # up to the last whole line; plain text of one endless line is cut anywhere
    cut = head.rfind(b"\n", 0, CHECKED_BYTES) + 1
    if cut or path.suffix == ".txt":
        beginning = head[: cut or CHECKED_BYTES]
        deque(_problems(name, path, beginning, field, window_characters, final=bool(cut)), maxlen=0)


def _problems(
    name: str, path: Path, content: bytes, field: str, window_characters: int, *, final: bool = True
) -> Iterable[Problem]:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(content, final)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"is not UTF-8 at byte {error.start}, in line {line}"
        raise InvalidSetting(field, name, message, "UTF-8 text") from error
    # Some editors begin a file with a byte order mark.
    text = text.removeprefix("\ufeff")
    return _rows(name, text, field) if path.suffix == ".jsonl" else _windows(text, window_characters)


def _rows(name: str, text: str, field: str) -> Iterable[Problem]:
    # Not `splitlines`: JSON text may hold U+2028 and the like unescaped, which are no line breaks in JSONL.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidSetting(field, name, f"is not JSON at line {number}: {error}") from error
        yield _problem(name, number, row, field)


def _problem(name: str, number: int, row: object, field: str) -> Problem:
    """Of one line's JSON."""
    given = row if isinstance(row, dict) else {}
    prompt, answer, choices = given.get("prompt"), given.get("answer"), given.get("choices", [])
    if "choices" in given:
        several = isinstance(choices, list) and len(choices) > 1 and all(isinstance(c, str) and c for c in choices)
        if not several or len(set(choices)) < len(choices):
            message = f"line {number} has no list of different texts in `choices`"
            raise InvalidSetting(field, name, message, _CHOICE)
        if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(choices):
            answer = choices[answer]
        if answer not in choices:
            message = f"line {number} has an `answer` that is none of its {len(choices)} choices"
            raise InvalidSetting(field, name, message, _CHOICE)
    if not (isinstance(prompt, str) and isinstance(answer, str) and prompt and answer):
        raise InvalidSetting(field, name, f"line {number} lacks text in `prompt` or `answer`", _COMPLETION)
    try:
        "".join([prompt, answer, *choices]).encode()
    except UnicodeEncodeError as error:
        half = f"line {number} holds half of a surrogate pair, \\u{ord(error.object[error.start]):x}"
        raise InvalidSetting(field, name, half, "Unicode text") from error
    return Problem(prompt, answer, choices=tuple(choices))


def _windows(text: str, characters: int) -> Iterable[Problem]:
    for start in range(0, len(text), characters):
        window = text[start : start + characters]
        if len(window) > 1:
            yield Problem("", window)
