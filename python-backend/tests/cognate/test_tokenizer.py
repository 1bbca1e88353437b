from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE, Model, Unigram, WordLevel, WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import ByteLevel, Metaspace, Whitespace
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
    trained.decoder = decoders.ByteLevel()
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


@pytest.mark.parametrize(
    "name",
    [
        "words", "file:", "file:absent.json", "file:../tokenizer.json", "file:tokenizer.txt", "file:loop.json",
        "file:loop.json/x.json", f"file:{'x' * 300}.json", f"file:{'x/' * 9000}x.json",
    ],
)  # fmt: skip
def test_names_outside_the_rules(root: Path, name: str) -> None:
    inner = root / "inner"
    inner.mkdir()
    (inner / "loop.json").symlink_to("loop.json")
    with pytest.raises(InvalidSetting) as caught:
        load_tokenizer(name, 32000, [inner])
    assert caught.value.field == "tokenizer"


def test_a_file_that_is_no_tokenizer(root: Path) -> None:
    (root / "other.json").write_text("{}")
    with pytest.raises(InvalidSetting, match=r"is not a tokenizer\.json"):
        load_tokenizer("file:other.json", 32000, [root])


def _saved(root: Path, model: Model, **parts: object) -> str:
    tokenizer = Tokenizer(model)
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    tokenizer.save(str(root / "own.json"))
    return "file:own.json"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_all_bytes_tell_every_text(root: Path, text: str) -> None:
    codec = load_tokenizer("file:tokenizer.json", 32000, [root])
    assert codec.decode(codec.encode(text)) == text


def test_its_truncation_and_padding_are_off(root: Path) -> None:
    path = root / "tokenizer.json"
    whole = load_tokenizer("file:tokenizer.json", 32000, [root]).encode("the cat and the dog")
    cutting = Tokenizer.from_file(str(path))
    cutting.enable_truncation(2)
    cutting.enable_padding(length=64)
    cutting.save(str(path))
    codec = load_tokenizer("file:tokenizer.json", 32000, [root])
    assert codec.encode("the cat and the dog") == whole
    assert len(codec.encode("the")) < 64


UNKNOWN = "?"
KNOWN = {"a": 0, "b": 1, "c": 2}
WITH_UNKNOWN = KNOWN | {UNKNOWN: 3}
WORDS = {"pre_tokenizer": Whitespace()}


@pytest.mark.parametrize(
    ("model", "parts", "unknown"),
    [
        (BPE(KNOWN, []), {}, None),
        (BPE(KNOWN, []), WORDS, None),
        (BPE(KNOWN | {"▁": 4}, []), {"pre_tokenizer": Metaspace()}, None),
        (BPE(WITH_UNKNOWN, [], unk_token=UNKNOWN), {}, 3),
        (BPE(WITH_UNKNOWN, [], unk_token=UNKNOWN, fuse_unk=True), {}, 3),
        (WordLevel(KNOWN), WORDS, None),
        (WordLevel(WITH_UNKNOWN, unk_token=UNKNOWN), WORDS, 3),
        (WordPiece(KNOWN), WORDS, None),
        (WordPiece(WITH_UNKNOWN, unk_token=UNKNOWN), WORDS, 3),
        (Unigram([("a", 0.0), ("b", 0.0), ("c", 0.0)]), {}, None),
        (Unigram([("a", 0.0), ("b", 0.0), ("c", 0.0), ("?", 0.0)], unk_id=3), {}, 3),
        (Unigram([("a", 0.0), ("▁", 0.0), ("c", 0.0), ("?", 0.0)], unk_id=3), {"pre_tokenizer": Metaspace()}, 3),
    ],
)
def test_nothing_unknown_vanishes(root: Path, model: Model, parts: dict[str, object], unknown: int | None) -> None:
    codec = load_tokenizer(_saved(root, model, **parts), 264, [root])
    for text, lost in (("aéc", "é"), ("X a", "X"), ("c7", "7")):
        if unknown is None:
            with pytest.raises(InvalidSetting) as caught:
                codec.encode(text)
            assert caught.value.field == "tokenizer"
            assert caught.value.value == text
        else:
            assert unknown in codec.encode(text)
        assert codec.encode("a")[-1] == codec.character("a") == 0
        # A problem that is spelled in one token for all that is unknown would have no answer.
        with pytest.raises(InvalidSetting):
            codec.character(lost)


def test_what_a_tokenizer_means_to_drop_is_no_loss(root: Path) -> None:
    name = _saved(root, WordLevel({"ecole": 0, "a": 1}), normalizer=BertNormalizer(), **WORDS)
    codec = load_tokenizer(name, 264, [root])
    assert codec.encode("École\n e\u0301cole \x00 a") == [0, 0, 1]
