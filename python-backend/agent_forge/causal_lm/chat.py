"""Prompts as a chat template puts them. A template is a program that came with a model: it runs in a process of its
own, in the sandbox of transformers, with limits on time, memory and what it may answer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..cognate.datasets.problem import Problem
from .errors import NotRunnable

SECONDS = 120
"""Of all of a call, the start of the process included; its own computing is limited more closely."""
TEMPLATE_CHARACTERS = 256 * 1024
_TEMPLATE, _CONFIG = "chat_template.jinja", "tokenizer_config.json"


def template_text(folder: Path) -> str | None:
    """The chat template of a model's folder; None where there is none."""
    template: Any = _config(folder).get("chat_template")
    if (folder / _TEMPLATE).is_file():
        template = (folder / _TEMPLATE).read_text(encoding="utf-8")
    if isinstance(template, list):
        named = {one.get("name"): one.get("template") for one in template if isinstance(one, dict)}
        template = named.get("default")
    return template if isinstance(template, str) and template else None


def _config(folder: Path) -> dict[str, Any]:
    path = folder / _CONFIG
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


class Chat:
    """The chat template of a model's folder. Raises NotRunnable where there is none, or it is too long."""

    def __init__(self, folder: Path) -> None:
        config, template = _config(folder), template_text(folder)
        if template is None:
            raise NotRunnable(f"the model has no chat template, neither {_TEMPLATE} nor in {_CONFIG}")
        if len(template) > TEMPLATE_CHARACTERS:
            raise NotRunnable(f"the chat template has {len(template)} characters; up to {TEMPLATE_CHARACTERS} are run")
        self._template = template
        self._tokens = {
            name: token.get("content") if isinstance(token, dict) else token
            for name, token in config.items()
            if name.endswith("_token") and isinstance(token, str | dict)
        }

    def asked(self, problems: Sequence[Problem]) -> list[Problem]:
        """Each prompt as a user's message that the model is to answer; passages stay as they are."""
        asked = [[{"role": "user", "content": one.prompt}] for one in problems if one.prompt]
        texts = iter(self.rendered(asked) if asked else [])
        return [replace(one, prompt=next(texts)) if one.prompt else one for one in problems]

    def rendered(self, conversations: Sequence[Sequence[dict[str, str]]]) -> list[str]:
        """Of each conversation the text that ends where the model answers. Raises NotRunnable."""
        asked = {"template": self._template, "tokens": self._tokens, "conversations": conversations}
        try:
            done = subprocess.run(
                [sys.executable, "-m", "agent_forge.causal_lm.chat_process"],
                input=json.dumps(asked).encode(),
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise NotRunnable(f"the chat template took longer than {SECONDS} s") from error
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            why = said[-1][:300] if said else f"its process ended with {done.returncode}: it went beyond its limits"
            raise NotRunnable(f"the chat template cannot be rendered: {why}")
        found: list[str] = json.loads(done.stdout)
        return found
