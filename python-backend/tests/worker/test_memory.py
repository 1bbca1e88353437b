from __future__ import annotations

import mmap
import os
import platform
import subprocess
import sys
from pathlib import Path

from agent_forge.worker.memory import environment, give_back, own_bytes


def test_own_memory_grows_with_what_is_written_to_and_not_with_mapped_files(tmp_path: Path) -> None:
    size = 64 << 20
    (tmp_path / "zeros").write_bytes(bytes(size))
    give_back()  # what earlier tests left free in the heap, and resident, would be written to first
    before = own_bytes()
    with (tmp_path / "zeros").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped.find(b"x") == -1
        assert own_bytes() < before + size / 4
        held = bytearray(b"x") * size
        assert own_bytes() > before + len(held) * 3 / 4


def test_what_lies_between_blocks_in_use_goes_back_to_the_system() -> None:
    blocks = [bytearray(b"x" * 60_000) for _ in range(4000)]
    kept, blocks = blocks[::8], []
    before = own_bytes()
    give_back()
    assert own_bytes() <= before - (100e6 if platform.libc_ver()[0] == "glibc" else 0)
    assert len(kept) == 500


TURNS = """
import ctypes, resource
c = ctypes.CDLL(None)
c.malloc.restype, c.free.argtypes, c.memset.argtypes = ctypes.c_void_p, [ctypes.c_void_p], [ctypes.c_void_p] + [ctypes.c_size_t] * 2
def turn():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = c.malloc(80 << 20)
    c.memset(block, 1, 80 << 20)
    c.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
turn()
print(turn())
"""  # noqa: E501


def _faults(environment: dict[str, str]) -> int:
    return int(subprocess.run([sys.executable, "-c", TURNS], env=environment, capture_output=True, check=True).stdout)


def test_a_worker_gets_memory_in_large_pages_where_there_are_any() -> None:
    pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    plain, ours = _faults(dict(os.environ)), _faults({**os.environ, **environment()})
    if platform.libc_ver()[0] == "glibc" and pages.exists() and "[madvise]" in pages.read_text():
        assert plain > 10_000
        assert ours < plain / 5
    else:
        assert ours < plain * 1.1
