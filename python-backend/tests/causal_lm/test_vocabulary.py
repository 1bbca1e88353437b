"""Vocabularies by digest, and tokenizers that are given the tokens of others: what transformers reads of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from causal_lms import tokenizer_folder
from tokenizers import AddedToken, Tokenizer
from transformers import AutoTokenizer

from agent_forge.causal_lm.errors import NotRunnable
from agent_forge.causal_lm.vocabulary import digest_of, give_tokens, vocabulary_of
from agent_forge.evomerge.vocabulary import Known, target_of


def folder(path: Path, *more: str | AddedToken) -> Path:
    tokenizer_folder(path)
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    tokenizer.add_tokens(list(more))
    tokenizer.save(str(path / "tokenizer.json"))
    return path


def ids(path: Path) -> dict[str, int]:
    return Tokenizer.from_file(str(path / "tokenizer.json")).get_vocab()


def test_a_vocabulary_is_pinned_by_its_digest(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", "<x>")
    digest = digest_of(ids(one))
    assert vocabulary_of(one / "tokenizer.json", digest) == ids(one)
    with pytest.raises(LookupError, match="other tokens"):
        vocabulary_of(folder(tmp_path / "two", "<y>") / "tokenizer.json", digest)


def test_a_union_is_read_by_transformers(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", "<own>")
    other = folder(tmp_path / "other", "<y>", AddedToken("<turn>", special=True, normalized=False))
    wanted = target_of([Known(ids(one), 1000) for one in (base, other)], None)
    made = Path(shutil.copytree(base, tmp_path / "made"))
    row = give_tokens(base, wanted, [base, other], made / "tokenizer.json")
    assert (row.tokens, row.vocabulary) == (len(wanted), digest_of(wanted))
    tokenizer = AutoTokenizer.from_pretrained(made)
    assert tokenizer.get_vocab() == wanted
    read = tokenizer.convert_ids_to_tokens(tokenizer("fox<turn>a<y><own>").input_ids)
    assert [token for token in read if len(token) > 2 and token[0] == "<"] == ["<s>", "<turn>", "<y>", "<own>"]
    assert tokenizer.decode(tokenizer("fox<turn>").input_ids, skip_special_tokens=True) == "fox"


def test_tokens_beyond_the_rows_are_dropped(tmp_path: Path) -> None:
    made = folder(tmp_path / "made", "<beyond>")
    own = ids(made)
    kept = {token: id_ for token, id_ in own.items() if id_ < len(own) - 4}
    give_tokens(made, kept, [], made / "tokenizer.json")
    assert AutoTokenizer.from_pretrained(made).get_vocab() == kept


def test_ids_that_the_library_does_not_give_are_refused(tmp_path: Path) -> None:
    made = folder(tmp_path / "made")
    with pytest.raises(NotRunnable, match="other ones"):
        give_tokens(made, ids(made) | {"<far>": 5000}, [], tmp_path / "tokenizer.json")
    assert not (tmp_path / "tokenizer.json").exists()
