"""Greedy decoding, one token at a time, with what the model did for each."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..contract.architecture import TinyTitan
from ..contract.model import PredictedToken, Prediction
from .batch import Encoded, collate
from .errors import InvalidSetting
from .model import TinyTitanModel
from .presets import DEFAULTS
from .tokenizer import load_tokenizer


def predict(
    model_id: str,
    arch: TinyTitan,
    tensors: Mapping[str, Tensor],
    prompt: str,
    max_tokens: int,
    *,
    tokenizer: str = "bytes",
    roots: Sequence[Path] = (),
    device: torch.device | str = "cpu",
) -> Prediction:
    """The likeliest continuation of `prompt`, until the end token or `max_tokens`, or until what the model computes is
    not finite: then no token is likelier than another, and the answer says so.

    Text is taken as it stands: for problems with a line break between question and answer, end the prompt with it.
    The context keeps the newest tokens up to four times the preset's training length. Float32.
    Raises InvalidSetting where the prompt has no token or the tokenizer cannot be loaded.
    """
    start = time.perf_counter()
    codec = load_tokenizer(tokenizer, arch.vocab_size, roots)
    ids = codec.encode(prompt)
    if not ids:
        raise InvalidSetting("prompt", prompt, "has no tokens", "at least one token")
    limit = 4 * DEFAULTS[arch.preset].max_length
    model = TinyTitanModel(arch).requires_grad_(False).bind(tensors).to(device)
    answer: list[int] = []
    tokens: list[PredictedToken] = []
    fault: str | None = None
    with torch.inference_mode():
        for _ in range(max_tokens):
            context = [*ids, *answer][-limit:]
            place = len(context) - 1
            batch = collate([Encoded(context, [place], [codec.end], [True])], codec.pad).to(torch.device(device))
            output = model(batch.tokens, batch.layout, batch.labels, with_gate=True)
            logits = output.logits[0]
            if not bool(logits.isfinite().all()):
                fault = f"After {len(answer)} tokens the model's outputs are not finite: its weights overflow."
                break
            probability, token = logits.softmax(dim=-1).max(dim=-1)
            if int(token) == codec.end:
                break
            answer.append(int(token))
            gate = 0.0 if output.gate is None else float(output.gate[place])
            tokens.append(
                PredictedToken(
                    text=codec.decode([int(token)]),
                    probability=min(float(probability), 1.0),
                    depth=float(output.depth[place]),
                    memory_gate=gate if math.isfinite(gate) else None,
                )
            )
    return Prediction(
        model_id=model_id,
        prompt=prompt,
        answer=codec.decode(answer),
        tokens=tokens,
        fault=fault,
        seconds=time.perf_counter() - start,
    )
