"""The process that renders a chat template: JSON on stdin, JSON on stdout, nothing else.

Bounds computing time, memory and the size of the answer. Jinja's sandbox keeps the template from Python's internals;
this process has the rights of the one that started it.
"""

from __future__ import annotations

import json
import resource
import sys

CPU_SECONDS = 10
MEMORY_BYTES = 4 * 1024**3
"""Of address space: transformers and what it loads take half."""
ANSWER_CHARACTERS = 16 * 1024**2


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from transformers.utils.chat_template_utils import render_jinja_template

    asked = json.load(sys.stdin)
    try:
        texts: list[str] = render_jinja_template(  # type: ignore[assignment]
            asked["conversations"], chat_template=asked["template"], add_generation_prompt=True, **asked["tokens"]
        )[0]
    except Exception as error:  # whatever a program that came with a model does
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    if sum(map(len, texts)) > ANSWER_CHARACTERS:
        sys.stderr.write(f"it wrote more than {ANSWER_CHARACTERS} characters\n")
        return 1
    json.dump(texts, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
