"""From problems to tensors: encoding, labels, and rows of equal length grouped with little padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .datasets.problem import Problem
from .model import Layout
from .tokenizer import Tokenizer

_ROUND = 8
"""Row lengths are multiples of this: fewer, larger groups against at most 7 tokens of padding a row."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A problem as token ids. Label i says that after `places[i]` the model should say `targets[i]`."""

    ids: list[int]
    places: list[int]
    targets: list[int]
    scored: list[bool]
    """True for answer tokens; hints and the end token are trained on but not scored."""


@dataclass(frozen=True)
class Batch:
    tokens: Tensor
    """int64 [N]"""
    layout: Layout
    labels: Tensor
    """Flat positions, int64 [M]."""
    targets: Tensor
    """int64 [M]"""
    scored: Tensor
    """bool [M]"""
    problems: Tensor
    """Index of each label's problem, as it was given, int64 [M]."""
    rows: Tensor
    """The same of each token, int64 [N]."""

    def relabelled(self, chosen: Tensor) -> Batch:
        """The same tokens with these labels alone, in this order. chosen: indices, or a mask."""
        return replace(
            self,
            labels=self.labels[chosen],
            targets=self.targets[chosen],
            scored=self.scored[chosen],
            problems=self.problems[chosen],
        )

    def to(self, device: torch.device) -> Batch:
        if device == self.tokens.device:
            return self
        layout = Layout(self.layout.groups, self.layout.positions.to(device), self.layout.real.to(device))
        return Batch(
            self.tokens.to(device),
            layout,
            self.labels.to(device),
            self.targets.to(device),
            self.scored.to(device),
            self.problems.to(device),
            self.rows.to(device),
        )


def encode(problem: Problem, tokenizer: Tokenizer, by_character: bool, max_length: int) -> Encoded:
    """Prompt, answer and end token. Text has a line break between prompt and answer, built-in problems have none.

    What is longer than `max_length` is cut: the prompt keeps its end, the answer its beginning, each at least half.
    """
    places: list[int] = []
    targets: list[int] = []
    if by_character:
        prompt = [tokenizer.character(c) for c in problem.prompt]
        answer = [tokenizer.character(c) for c in problem.answer]
        for index, character in problem.hints:
            places.append(index)
            targets.append(tokenizer.character(character))
    else:
        prompt = tokenizer.encode(f"{problem.prompt}\n")
        answer = tokenizer.encode(problem.answer)
    hints = len(places)
    ended = True
    if len(prompt) + len(answer) > max_length:
        kept = min(len(answer), max(max_length // 2, max_length - len(prompt)))
        prompt = prompt[len(prompt) - min(len(prompt), max_length - kept) :]
        ended = kept == len(answer)
        answer = answer[:kept]
    ids = prompt + answer
    first = len(prompt) - 1
    places += range(first, first + len(answer))
    targets += answer
    scored = [False] * hints + [True] * len(answer)
    if ended:
        places.append(len(ids) - 1)
        targets.append(tokenizer.end)
        scored.append(False)
    return Encoded(ids, places, targets, scored)


def collate(problems: Sequence[Encoded], pad: int) -> Batch:
    """Rows sorted by length into groups. The order within a length is that of `problems`."""
    rounded = [-(-len(p.ids) // _ROUND) * _ROUND for p in problems]
    order = sorted(range(len(problems)), key=rounded.__getitem__)
    tokens = np.full(sum(rounded), pad, dtype=np.int64)
    positions, rows = np.empty((2, len(tokens)), dtype=np.int64)
    real = np.zeros(len(tokens), dtype=np.bool_)
    groups: list[list[int]] = []
    labels: list[int] = []
    targets: list[int] = []
    scored: list[bool] = []
    owners: list[int] = []
    start = 0
    for index in order:
        problem, length = problems[index], rounded[index]
        tokens[start : start + len(problem.ids)] = problem.ids
        positions[start : start + length] = np.arange(length)
        rows[start : start + length] = index
        real[start : start + len(problem.ids)] = True
        labels += [start + place for place in problem.places]
        targets += problem.targets
        scored += problem.scored
        owners += [index] * len(problem.places)
        if groups and groups[-1][1] == length:
            groups[-1][0] += 1
        else:
            groups.append([1, length])
        start += length
    layout = Layout(
        tuple((rows, length) for rows, length in groups), torch.from_numpy(positions), torch.from_numpy(real)
    )
    return Batch(
        tokens=torch.from_numpy(tokens),
        layout=layout,
        labels=torch.tensor(labels, dtype=torch.int64),
        targets=torch.tensor(targets, dtype=torch.int64),
        scored=torch.tensor(scored, dtype=torch.bool),
        problems=torch.tensor(owners, dtype=torch.int64),
        rows=torch.from_numpy(rows),
    )
