from __future__ import annotations

from pathlib import Path

import causal_lms
import pytest
import torch

from agent_forge.causal_lm.text import Text

# for operations of microseconds a second thread is one more to wait for
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return causal_lms.tokenizer_folder(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="session")
def text(folder: Path) -> Text:
    return Text(folder)
