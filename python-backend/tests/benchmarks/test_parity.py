from __future__ import annotations

from agent_forge.cognate.datasets.problem import Split, split_of
from benchmarks import _parity as parity


def test_what_is_asked_is_held_out_of_one_length_and_right() -> None:
    for bits, wanted in ((8, 16), (16, 64), (40, 64)):
        found = parity.of_length(bits, wanted)
        assert found == parity.of_length(bits, wanted)
        texts = [bytes(one.ids).decode() for one in found]
        assert len(set(texts)) == len(texts) == wanted
        for text in texts:
            string, answer = text.split("=")
            assert len(string) == bits
            assert answer == str(string.count("1") % 2)
            assert split_of(f"{string}=") is Split.heldout


def test_training_holds_shorter_strings_of_its_split_alone() -> None:
    problems = parity.Training(longest=12).problems(Split.train, 300)
    assert problems == parity.Training(longest=12).problems(Split.train, 300)
    assert {len(one.prompt) - 1 for one in problems} == set(range(2, 13))  # neither string of one bit is of the split
    assert all(split_of(one.prompt) is Split.train for one in problems)
