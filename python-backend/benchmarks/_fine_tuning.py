"""A causal language model fine-tuned on one data set: the parents of a benchmark."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from agent_forge.causal_lm.posed import Posed
from agent_forge.causal_lm.problems import Completion, Encoded
from agent_forge.causal_lm.text import Text

IGNORED = -100
"""Label of what is read, not learned."""
LIMIT = 512
"""Tokens of a problem at most."""


def fine_tune(
    base: Path, dataset: str, roots: Sequence[Path], target: Path, *, steps: int, problems: int, rate: float, seed: int
) -> float:
    """Write a folder with the base's files and tuned weights of its type; gives the loss of the last step, nats.

    AdamW in float32 on training problems alone, `problems` a step, drawn by (seed, step): an answer's tokens and the
    one that ends it. The rate falls to 0 along a line.
    """
    text = Text(base)
    posed = Posed((dataset,), 0, text, None, LIMIT, roots)
    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    kept = model.dtype
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device, torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    last = float("nan")
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / steps)
        tokens, labels, mask = _batch(posed.drawn(seed, step, problems)[0], min(text.ends))
        found = model(
            input_ids=tokens.to(device), attention_mask=mask.to(device), labels=labels.to(device), use_cache=False
        )
        optimizer.zero_grad()
        found.loss.backward()
        optimizer.step()
        last = float(found.loss.detach())
    model.to("cpu", kept).save_pretrained(target)
    for file in base.iterdir():
        if file.suffix in (".json", ".jinja") and not (target / file.name).exists():
            shutil.copy(file, target)
    return last


def _batch(problems: Sequence[Encoded], end: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, labels and attention mask, each (problems, longest), padded behind."""
    rows = []
    for one in problems:
        if not isinstance(one, Completion):
            raise TypeError(f"a {type(one).__name__} has no answer to learn")
        rows.append((one.prompt, (*one.answer, end)))
    longest = max(len(prompt) + len(answer) for prompt, answer in rows)
    tokens = torch.full((len(rows), longest), end)
    labels = torch.full((len(rows), longest), IGNORED)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for row, (prompt, answer) in enumerate(rows):
        stop = len(prompt) + len(answer)
        tokens[row, :stop] = torch.tensor([*prompt, *answer])
        labels[row, len(prompt) : stop] = torch.tensor(answer)
        mask[row, :stop] = 1
    return tokens, labels, mask
