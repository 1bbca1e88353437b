from __future__ import annotations

import json
import subprocess
import sys

import pytest

from agent_forge.background.threads import EXIT_CODE


def _python(program: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    start = (
        "import time\nfrom agent_forge import logs\nfrom agent_forge.background import threads\n"
        "from agent_forge.worker import pipe\nlogs.configure('worker', 'INFO')\n"
    )
    return subprocess.run([sys.executable, "-c", start + program], input=stdin, capture_output=True, timeout=120)


def test_a_thread_that_fails_ends_its_process_with_the_reason() -> None:
    done = _python("def fail():\n    raise ValueError('no more')\nthreads.start('heart', fail)\ntime.sleep(100)")
    assert done.returncode == EXIT_CODE
    line = json.loads(done.stderr)
    assert (line["level"], line["message"]) == ("critical", "thread heart failed: this process ends")
    assert "ValueError: no more" in line["exception"]


def test_a_thread_that_returns_ends_nothing() -> None:
    assert _python("threads.start('short', lambda: None).join()").returncode == 0


@pytest.mark.parametrize("line", [b"no json", b"[1]", b'{"kind": ', b"\xff\xfe", b""])
def test_a_malformed_line_on_stdin_is_skipped(line: bytes) -> None:
    program = "import os\npipe.listen(lambda m: print(m['kind'], flush=True), lambda: os._exit(0))\ntime.sleep(100)"
    done = _python(program, line + b'\n{"kind": "wake"}\n')
    assert (done.returncode, done.stdout) == (0, b"wake\n")
    assert b"is not a message" in done.stderr


def test_a_message_that_cannot_be_handled_ends_the_process() -> None:
    done = _python("pipe.listen(lambda m: m['kind'], lambda: None)\ntime.sleep(100)", b'{"other": 1}\n')
    assert done.returncode == EXIT_CODE
    assert b"KeyError" in done.stderr
