"""Decoding of a TinyTitan, one token at a time, with what the model did for each."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..contract.architecture import TinyTitan
from ..contract.prediction import (
    AnyPart,
    PredictedToken,
    PredictionBegun,
    PredictionEnded,
    PredictRequest,
    TokenProbability,
)
from .batch import Encoded, collate
from .errors import InvalidSetting
from .model import TinyTitanModel
from .presets import DEFAULTS
from .sampling import overflow, sample
from .spelling import Spelling
from .tokenizer import load_tokenizer


def predict(
    arch: TinyTitan,
    tensors: Mapping[str, Tensor],
    request: PredictRequest,
    *,
    tokenizer: str = "bytes",
    roots: Sequence[Path] = (),
    device: torch.device | str = "cpu",
) -> Iterator[AnyPart]:
    """The continuation of the prompt, until the end token or `max_tokens`, or until what the model computes is not
    finite: then no token is likelier than another, and the end says so.

    Text is taken as it stands: for problems with a line break between question and answer, end the prompt with it.
    The context keeps the newest tokens up to four times the preset's training length. Float32.
    Raises InvalidSetting where the prompt has no token, the tokenizer cannot be loaded or a chat is asked for.
    """
    start = time.perf_counter()
    if request.chat:
        raise InvalidSetting("chat", True, "is for models with a chat template; TinyTitans have none", "false")
    codec = load_tokenizer(tokenizer, arch.vocab_size, roots)
    ids = codec.encode(request.prompt)
    if not ids:
        raise InvalidSetting("prompt", request.prompt, "has no tokens", "at least one token")
    limit = 4 * DEFAULTS[arch.preset].max_length
    model = TinyTitanModel(arch).requires_grad_(False).bind(tensors).to(device)
    spelling, answer = Spelling(codec.decode), list[int]()

    def ended(reason: str, fault: str | None = None) -> PredictionEnded:
        seconds = time.perf_counter() - start
        return PredictionEnded(answer=codec.decode(answer), reason=reason, fault=fault, seconds=seconds)

    yield PredictionBegun(read=request.prompt, prompt_tokens=len(ids))
    for step in range(request.max_tokens):
        context = [*ids, *answer][-limit:]
        place = len(context) - 1
        batch = collate([Encoded(context, [place], [codec.end], [True])], codec.pad).to(torch.device(device))
        with torch.inference_mode():
            output = model(batch.tokens, batch.layout, batch.labels, with_gate=True)
            found = sample(output.logits[0], request.temperature, request.seed, step)
        if found is None:
            yield ended("fault", overflow(len(answer)))
            return
        if found.token == codec.end:
            yield ended("end_token")
            return
        likeliest = [TokenProbability(text=spelling.of(one), probability=value) for one, value in found.likeliest]
        answer.append(found.token)
        gate = 0.0 if output.gate is None else float(output.gate[place])
        yield PredictedToken(
            text=spelling.add(found.token),
            probability=found.probability,
            likeliest=likeliest,
            depth=float(output.depth[place]),
            memory_gate=gate if math.isfinite(gate) else None,
        )
    yield ended("max_tokens")
