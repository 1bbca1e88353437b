from __future__ import annotations

import platform

import psutil

from agent_forge.runs.memory import give_back


def test_what_lies_between_blocks_in_use_goes_back_to_the_system() -> None:
    process = psutil.Process()
    blocks = [bytearray(b"x" * 60_000) for _ in range(4000)]
    kept, blocks = blocks[::8], []
    before = process.memory_info().rss
    give_back()
    assert process.memory_info().rss <= before - (100e6 if platform.libc_ver()[0] == "glibc" else 0)
    assert len(kept) == 500
