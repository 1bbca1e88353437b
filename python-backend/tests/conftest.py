from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

# Tiny tensors gain nothing by threads, and lose much on a busy machine. Before any fixture: bytes depend on it.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """A test may try another number."""
    yield
    torch.set_num_threads(1)
