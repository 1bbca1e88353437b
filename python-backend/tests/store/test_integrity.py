from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agent_forge.store.errors import DatabaseDamagedError
from agent_forge.store.integrity import quick_check


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "forge.db"
    with closing(sqlite3.connect(made)) as connection, connection:
        connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)")
        connection.executemany("INSERT INTO t(b) VALUES (?)", [("x" * 500,)] * 2000)
        connection.execute("CREATE INDEX i ON t(b)")
    return made


def _overwrite(offset: float, data: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(round(offset * path.stat().st_size))
            file.write(data)

    return damage


DAMAGES: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(b"garbage" * 5000),
    "text": lambda path: path.write_text("<html>not found</html>" * 100),
    "no header": _overwrite(0, b"\0" * 100),
    "a page of zeros": _overwrite(0.5, b"\0" * 8192),
    "a page of noise": _overwrite(0.5, bytes(range(256)) * 32),
    "half of it": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
}


def test_a_sound_file_passes(path: Path) -> None:
    assert quick_check(path, seconds=100)


def test_an_empty_file_is_an_empty_database(tmp_path: Path) -> None:
    (tmp_path / "forge.db").touch()
    assert quick_check(tmp_path / "forge.db", seconds=100)


def test_it_ends_in_time(path: Path) -> None:
    assert not quick_check(path, seconds=-1)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_one_line_that_says_what_to_do(path: Path, damage: Callable[[Path], object]) -> None:
    damage(path)
    with pytest.raises(DatabaseDamagedError) as caught:
        quick_check(path, seconds=100)
    message = str(caught.value)
    assert str(path) in message
    assert "npm run restore -- <file>" in message
    assert "\n" not in message
