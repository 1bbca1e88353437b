"""Batches of problems through a network: prompts are read once, answers and greedy decoding go on from there.

Which problems share a batch, and in which order, follows from the problems alone: padding changes a loss by up to
5e-7 nats, so the layout is part of what a score means.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .network import Network


@dataclass
class Read:
    """Prompts that were read: where each row stands."""

    cache: Any
    """Keys and values so far."""
    mask: Tensor
    """[rows, columns]; 0 where padding stands before a shorter prompt."""
    logits: Tensor
    """[rows, vocabulary], of what comes next."""


def read_prompts(network: Network, prompts: Sequence[Sequence[int]], device: torch.device) -> Read:
    """The prompts end in one column: shorter ones have padding before them, which nothing attends to."""
    width = max(map(len, prompts))
    tokens = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros_like(tokens)
    for row, prompt in enumerate(prompts):
        tokens[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    mask = mask.to(device)
    output = _forward(network, tokens.to(device), mask, None, last_alone=True)
    return Read(output.cache, mask, output.logits[:, -1].float())


def answer_losses(network: Network, read: Read, owners: Sequence[int], answers: Sequence[Sequence[int]]) -> list[float]:
    """Of each answer, behind the prompt in row `owners[i]`: cross-entropy summed over its tokens, nats.

    NaN and infinities come through. Leaves `read` as it was.
    """
    return [loss for loss, _ in answer_likelihoods(network, read, owners, answers)]


def answer_likelihoods(
    network: Network, read: Read, owners: Sequence[int], answers: Sequence[Sequence[int]]
) -> list[tuple[float, bool]]:
    """As `answer_losses`, with whether greedy decoding would say the answer."""
    device = read.mask.device
    rows = torch.tensor(list(owners), device=device)
    width = max(map(len, answers))
    targets = torch.full((len(answers), width), -100, dtype=torch.long)
    for row, answer in enumerate(answers):
        targets[row, : len(answer)] = torch.tensor(answer)
    targets = targets.to(device)
    logits = read.logits[rows][:, None]
    if width > 1:
        cache = copy.deepcopy(read.cache)
        if list(owners) != list(range(len(read.mask))):
            cache.batch_select_indices(rows)
        given = targets[:, :-1].clamp(min=0)
        mask = torch.cat([read.mask[rows], (targets[:, :-1] >= 0).long()], dim=1)
        later = _forward(network, given, mask, cache).logits.float()
        logits = torch.cat([logits, later], dim=1)
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="none")
    found: list[float] = losses.view(targets.shape).double().sum(dim=1).tolist()
    greedy: list[bool] = ((logits.argmax(dim=-1) == targets) | (targets < 0)).all(dim=1).tolist()
    return list(zip(found, greedy, strict=True))


def passage_loss(network: Network, tokens: Sequence[int], device: torch.device) -> float:
    """Cross-entropy summed over all tokens but the first, nats. Read alone: at their length padding would cost more."""
    row = torch.tensor([list(tokens)], device=device)
    logits = _forward(network, row, torch.ones_like(row), None, keep=False).logits[0, :-1].float()
    return float(F.cross_entropy(logits, row[0, 1:], reduction="none").double().sum())


def next_logits(network: Network, read: Read, tokens: Sequence[int]) -> None:
    """Let each row read one token more: `read` stands behind it then."""
    column = torch.tensor(list(tokens), device=read.mask.device)[:, None]
    read.mask = torch.cat([read.mask, torch.ones_like(column)], dim=1)
    output = _forward(network, column, read.mask, read.cache, last_alone=True)
    read.cache, read.logits = output.cache, output.logits[:, -1].float()


def _forward(
    network: Network, tokens: Tensor, mask: Tensor, cache: Any, *, last_alone: bool = False, keep: bool = True
) -> Any:
    """cache None: none yet. keep: whether one is wanted. last_alone: logits of the last column are enough."""
    given: dict[str, Any] = {"input_ids": tokens, "attention_mask": mask, "cache": cache, "use_cache": keep}
    if "position_ids" in network.accepts:
        # padding takes no position; where it has one all the same, nothing attends to it
        given["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
    if last_alone and "logits_to_keep" in network.accepts:
        given["logits_to_keep"] = 1
    return network.module(**given)
