"""What is read of a brought model's documents."""

from __future__ import annotations

import json
from pathlib import Path

import causal_lms
import pytest

from agent_forge.contract.model import Tokenizer
from agent_forge.registry.errors import ModelFileError
from agent_forge.worker.documents import read_documents


def read(folder: Path) -> Tokenizer:
    found = read_documents(folder, [path.name for path in folder.iterdir()])
    assert found is not None
    return found


def test_a_vocabulary_is_its_tokens_by_id_whatever_the_file(tmp_path: Path) -> None:
    first, again, swapped = (causal_lms.tokenizer_folder(tmp_path / name) for name in ("first", "again", "swapped"))
    document = json.loads((first / "tokenizer.json").read_bytes())
    (again / "tokenizer.json").write_text(json.dumps(document, indent=7))
    causal_lms.swap_ids(swapped / "tokenizer.json", "a", "b")
    one, same, other = map(read, (first, again, swapped))
    assert (one.kind, one.tokens, one.chat_template) == ("BPE", 320, True)
    assert one.sha256 != same.sha256
    assert one.vocabulary == same.vocabulary != other.vocabulary
    assert one.tokens == other.tokens


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(ModelFileError, match=r"tokenizer\.json is no tokenizer"):
        read(tmp_path)
