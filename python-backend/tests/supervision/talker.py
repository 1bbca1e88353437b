"""A process in a worker's place: says the lines of the file TALK, then lives until it is told to stop."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.stdout.buffer.write(Path(os.environ["TALK"]).read_bytes())
sys.stdout.buffer.flush()
if os.environ["TALK_END"] != "at once":
    sys.stdin.buffer.read1()
