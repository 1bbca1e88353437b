from __future__ import annotations

import os
import platform
import subprocess
import sys

import psutil
import pytest

from agent_forge.runs.memory import environment, give_back


def test_what_lies_between_blocks_in_use_goes_back_to_the_system() -> None:
    process = psutil.Process()
    blocks = [bytearray(b"x" * 60_000) for _ in range(4000)]
    kept, blocks = blocks[::8], []
    before = process.memory_info().rss
    give_back()
    assert process.memory_info().rss <= before - (100e6 if platform.libc_ver()[0] == "glibc" else 0)
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


@pytest.mark.parametrize("asked", [False, True])
def test_a_large_block_that_is_asked_for_again_costs_no_page_faults_in_a_worker(asked: bool) -> None:
    own = {**os.environ, **(environment() if asked else {})}
    faults = int(subprocess.run([sys.executable, "-c", TURNS], env=own, capture_output=True, check=True).stdout)
    if platform.libc_ver()[0] == "glibc":
        assert faults < 100 if asked else faults > 10_000
