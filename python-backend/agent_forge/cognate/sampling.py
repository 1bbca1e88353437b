"""Which token comes next, by what a model computes for each."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .draws import Draws

SHOWN = 5
"""Tokens that are told beside the chosen one."""


@dataclass(frozen=True)
class Sample:
    token: int
    probability: float
    """0 to 1, at temperature 1."""
    likeliest: list[tuple[int, float]]
    """The first `SHOWN` of all tokens by probability, with it."""


def sample(logits: Tensor, temperature: float, seed: int, step: int) -> Sample | None:
    """logits: [vocabulary]. None where they are not finite: no token is likelier than another then.

    Temperature 0 takes the likeliest. Above, the draw is a function of (seed, step), in float64: the same logits give
    the same token everywhere.
    """
    if not bool(logits.isfinite().all()):
        return None
    wide = logits.double()
    probabilities = wide.softmax(dim=-1)
    if temperature == 0:
        token = int(logits.argmax())
    else:
        sums = (wide / temperature).softmax(dim=-1).cumsum(dim=-1)
        drawn = Draws("predict", seed, step).unit() * float(sums[-1])
        token = min(int((sums <= drawn).sum()), len(sums) - 1)
    values, tokens = probabilities.topk(min(SHOWN, len(probabilities)))
    likeliest = [(index, min(value, 1.0)) for index, value in zip(tokens.tolist(), values.tolist(), strict=True)]
    return Sample(token, min(float(probabilities[token]), 1.0), likeliest)


def overflow(tokens: int) -> str:
    """Why there is no token after so many."""
    return f"After {tokens} tokens the model's outputs are not finite: its weights overflow."
