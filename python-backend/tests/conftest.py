from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings
from rows import database, make_candidate, make_model, make_run

__all__ = ["database", "make_candidate", "make_model", "make_run"]

# How long an example takes says more about the machine's other work than about the code.
settings.register_profile("here", deadline=None)
settings.load_profile("here")
# Tiny tensors gain nothing by threads, and lose much on a busy machine. Before any fixture: bytes depend on it.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """A test may try another number."""
    yield
    torch.set_num_threads(1)
