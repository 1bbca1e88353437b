from __future__ import annotations

import sys
from pathlib import Path

# Test modules import `tiny` and `memory_job` by name: importlib mode puts no directory on the path by itself.
for directory in (Path(__file__).parent, Path(__file__).parent.parent):
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
