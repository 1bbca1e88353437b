"""What is measured of causal language models where a configuration says nothing. Free of torch."""

from __future__ import annotations

SELECTION_PROBLEMS = 32
"""Of each dataset, for each candidate."""
WINDOW_CHARACTERS = 1000
"""What plain text is cut into: some hundred tokens."""
PROBLEM_TOKENS = 128
"""Of a problem with its answer, for forecasts."""
