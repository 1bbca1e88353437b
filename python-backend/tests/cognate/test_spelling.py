from __future__ import annotations

import pytest

from agent_forge.cognate.spelling import Spelling
from agent_forge.cognate.tokenizer import ByteTokenizer

decode = ByteTokenizer().decode


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"ab", ["a", "b"]),
        ("é1€".encode(), ["", "é", "1", "", "", "€"]),
        ("🜁x".encode(), ["", "", "", "🜁", "x"]),
        (b"\xffa", ["", "\ufffda"]),
        (b"\xff\xff\xff\xffa", ["", "", "", "\ufffd" * 4, "a"]),
    ],
)
def test_a_character_comes_with_its_last_byte(content: bytes, texts: list[str]) -> None:
    spelling = Spelling(decode)
    assert [spelling.add(byte) for byte in content] == texts


def test_what_a_token_would_add_is_told_without_adding_it() -> None:
    spelling = Spelling(decode, b"say ")
    assert [spelling.of(byte) for byte in b"xy"] == ["x", "y"]
    spelling.add(0xC3)
    assert spelling.of(0xA9) == "é"
    assert spelling.add(0xA9) == "é"


def test_a_space_before_a_word_is_kept_where_a_token_alone_would_lose_it() -> None:
    words = ["two", "plus", "two"]

    def stripped(tokens: object) -> str:
        return " ".join(words[token] for token in tokens)  # type: ignore[attr-defined]

    spelling = Spelling(stripped, [0])
    assert [spelling.add(1), spelling.add(2)] == [" plus", " two"]
