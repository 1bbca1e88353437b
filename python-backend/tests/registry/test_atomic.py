"""A file is there whole or not at all, whatever happens in between."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent_forge.registry import atomic
from agent_forge.registry.atomic import TEMP_PREFIX, make_directory, remove_leftovers, replacing, write_bytes

CRASHING = """
import os, signal, sys
from pathlib import Path
from agent_forge.registry import atomic
moment, path = sys.argv[1], Path(sys.argv[2])
if moment == "before fsync":
    os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)
elif moment == "before rename":
    Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)
elif moment == "after rename":
    atomic.sync_directory = lambda path: os.kill(os.getpid(), signal.SIGKILL)
atomic.write_bytes(path, b"new" * 1000)
"""


@pytest.mark.parametrize(
    ("moment", "contents", "leftovers"),
    [("before fsync", b"old", 1), ("before rename", b"old", 1), ("after rename", b"new" * 1000, 0)],
)
def test_killed_at(moment: str, contents: bytes, leftovers: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", CRASHING, moment, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == contents
    assert len(remove_leftovers(tmp_path)) == leftovers
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    write_bytes(path, b"again")
    assert path.read_bytes() == b"again"


def test_leftovers_of_the_living_stay(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    make_directory(below)
    with replacing(below / "x") as fd:
        assert remove_leftovers(tmp_path) == []
        os.write(fd, b"data")
    assert (below / "x").read_bytes() == b"data"


def test_an_exception_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def fail() -> None:
        with replacing(path) as fd:
            os.write(fd, b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("x", b"old")]


def test_order_of_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(atomic.os, "fsync", lambda fd: (steps.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda self, target: (steps.append("rename"), replace(self, target))[1])
    write_bytes(tmp_path / "x", b"data")
    assert steps == ["fsync", "rename", "fsync"]


def test_a_link_with_a_temp_name_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"keep")
    root = tmp_path / "root"
    root.mkdir()
    (root / f"{TEMP_PREFIX}link").symlink_to(outside)
    remove_leftovers(root)
    assert outside.read_bytes() == b"keep"


LIMITED = """
import resource, sys
from pathlib import Path
import torch
from agent_forge.registry.header import float32
from agent_forge.registry.tensors import mapped_file, write_tensors
place = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
tensors = {"a": torch.zeros(50_000)}
try:
    if sys.argv[2] == "written":
        write_tensors(place / "x", tensors)
    else:
        with mapped_file(place / "x", float32({"a": (50_000,)})):
            print("drawn")
except OSError as error:
    print(type(error).__name__, error.errno)
"""


@pytest.mark.parametrize("how", ["written", "mapped"])
def test_a_file_that_the_disk_can_not_take(how: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED, tmp_path, how], capture_output=True, text=True, check=True)
    assert done.stdout == f"OSError {errno.EFBIG}\n"
    assert list(tmp_path.iterdir()) == []
