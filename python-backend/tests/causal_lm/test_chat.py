from __future__ import annotations

from pathlib import Path

import pytest
from causal_lms import tokenizer_folder

from agent_forge.causal_lm import chat_process
from agent_forge.causal_lm.chat import Chat
from agent_forge.causal_lm.errors import NotRunnable
from agent_forge.cognate.datasets.problem import Problem


def test_prompts_are_put_into_the_template(folder: Path) -> None:
    asked = Chat(folder).asked([Problem("one?", "1"), Problem("", "a passage"), Problem("two?", "2")])
    assert [one.prompt for one in asked] == [
        "<s>user: one?</s><s>assistant:",
        "",
        "<s>user: two?</s><s>assistant:",
    ]
    assert [one.answer for one in asked] == ["1", "a passage", "2"]


def test_a_template_of_its_own_file_counts_more(tmp_path: Path) -> None:
    folder = tokenizer_folder(tmp_path)
    (folder / "chat_template.jinja").write_text("{{ bos_token }}{{ messages[0].content }}!")
    assert Chat(folder).rendered([[{"role": "user", "content": "x"}]]) == ["<s>x!"]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ messages[0].__class__.__mro__ }}", "SecurityError"),
        ("{{ raise_exception('no system prompt') }}", "no system prompt"),
        ("{{ 'x' * 10000000000 }}", "MemoryError"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "beyond its limits"),
        ("{% if %}", "TemplateSyntaxError"),
    ],
)
def test_templates_stay_in_their_limits(tmp_path: Path, template: str, said: str) -> None:
    with pytest.raises(NotRunnable, match=said):
        Chat(tokenizer_folder(tmp_path, template)).rendered([[{"role": "user", "content": "x"}]])


def test_a_folder_without_a_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotRunnable, match="no chat template"):
        Chat(tokenizer_folder(tmp_path, None))


def test_limits_leave_room_for_the_library() -> None:
    assert chat_process.MEMORY_BYTES > 2**30
