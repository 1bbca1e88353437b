"""What keeps a model from being run."""

from __future__ import annotations


class NotRunnable(Exception):  # noqa: N818 - names what the model is
    """A causal language model that cannot be opened, or text that its tokenizer cannot read. The message says why."""

    code = "not_runnable"
