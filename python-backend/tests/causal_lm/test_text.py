from __future__ import annotations

from pathlib import Path

import pytest
from causal_lms import tokenizer_folder

from agent_forge.causal_lm.errors import NotRunnable
from agent_forge.causal_lm.problems import Choice, Completion, Passage, encode
from agent_forge.causal_lm.text import Text
from agent_forge.cognate.datasets.problem import Problem
from agent_forge.cognate.errors import InvalidSetting


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [("two plus two is", " four"), ("two plus two is ", "four"), ("3+4=", "7"), ("the qui", "ck"), ("Q:\n\n", "A")],
)
def test_prompt_and_answer_are_the_whole_text(text: Text, prompt: str, answer: str) -> None:
    before, after = text.parted(prompt, answer)
    assert before[0] == 1
    assert text.said([*before, *after]) == prompt + answer
    assert text.said(before) == prompt.rstrip()
    assert after


def test_space_before_an_answer_is_read_with_it_wherever_it_stands(text: Text) -> None:
    assert text.parted("two plus two is", " four") == text.parted("two plus two is ", "four")


def test_tokens_that_end_a_text_come_from_either_file(folder: Path, tmp_path: Path) -> None:
    assert Text(folder).ends == {2}
    other = tokenizer_folder(tmp_path)
    (other / "generation_config.json").write_text('{"eos_token_id": [2, 7, 99999]}')
    assert Text(other).ends == {2, 7}


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotRunnable, match=r"tokenizer\.json cannot be read"):
        Text(tmp_path)


def test_problems_become_tokens(text: Text) -> None:
    completion = encode(Problem("two plus two is", " four "), text, 64, "own")
    assert isinstance(completion, Completion)
    assert completion.text == "four"
    choice = encode(Problem("two is", " b", choices=(" a", " b")), text, 64, "own")
    assert isinstance(choice, Choice)
    assert (choice.right, choice.characters, len(choice.choices)) == (1, (2, 2), 2)
    passage = encode(Problem("", "the quick brown fox"), text, 4, "own")
    assert isinstance(passage, Passage)
    assert len(passage.tokens) == 4


def test_of_a_long_prompt_the_end_is_kept(text: Text) -> None:
    whole = encode(Problem("the quick brown fox jumps over", " it"), text, 64, "own")
    cut = encode(Problem("the quick brown fox jumps over", " it"), text, 6, "own")
    assert isinstance(whole, Completion)
    assert isinstance(cut, Completion)
    assert len(cut.prompt) + len(cut.answer) == 6
    assert whole.prompt[-len(cut.prompt) :] == cut.prompt


def test_an_answer_that_is_too_long_is_refused(text: Text) -> None:
    with pytest.raises(InvalidSetting, match="holds an answer of"):
        encode(Problem("x", " the quick brown fox jumps over the lazy dog"), text, 4, "own")
