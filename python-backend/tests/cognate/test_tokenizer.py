from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

from agent_forge.cognate.errors import InvalidSetting
from agent_forge.cognate.tokenizer import ByteTokenizer, load_tokenizer


@given(st.text())
def test_bytes_round_trip(text: str) -> None:
    codec = ByteTokenizer()
    ids = codec.encode(text)
    assert all(0 <= i < 256 for i in ids)
    assert codec.decode([*ids, codec.end, codec.pad]) == text


def test_broken_bytes_are_shown_as_replacement() -> None:
    assert ByteTokenizer().decode([0xC3]) == "\ufffd"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    trained = Tokenizer(BPE())
    trained.pre_tokenizer = ByteLevel(add_prefix_space=False)
    characters = "0123456789abcdefghijklmnopqrstuvwxyz+-*=?:;,."
    trained.train_from_iterator(
        ["the cat and the dog", characters] * 10,
        BpeTrainer(
            vocab_size=400, initial_alphabet=ByteLevel.alphabet(), special_tokens=["<pad>"], show_progress=False
        ),
    )
    trained.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_a_tokenizer_file_within_the_vocabulary(root: Path) -> None:
    codec = load_tokenizer("file:tokenizer.json", 32000, [root])
    ids = codec.encode("the cat")
    assert len(ids) < 7
    assert max(*ids, codec.pad, codec.end) < 32000
    assert codec.end not in ids
    characters = "0123456789abcdefghijklmnopqrstuvwxyz+-*=?:;,."
    assert len({codec.character(c) for c in characters}) == len(characters)


def test_a_vocabulary_that_is_too_large(root: Path) -> None:
    with pytest.raises(InvalidSetting, match="ids below 264"):
        load_tokenizer("file:tokenizer.json", 264, [root])


@pytest.mark.parametrize("name", ["words", "file:", "file:absent.json", "file:../tokenizer.json", "file:tokenizer.txt"])
def test_names_outside_the_rules(root: Path, name: str) -> None:
    inner = root / "inner"
    inner.mkdir()
    with pytest.raises(InvalidSetting) as caught:
        load_tokenizer(name, 32000, [inner])
    assert caught.value.field == "tokenizer"


def test_a_file_that_is_no_tokenizer(root: Path) -> None:
    (root / "other.json").write_text("{}")
    with pytest.raises(InvalidSetting, match=r"is no tokenizer\.json"):
        load_tokenizer("file:other.json", 32000, [root])
