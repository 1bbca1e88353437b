"""What a causal language model says to a prompt, token by token."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..cognate.errors import InvalidSetting
from ..cognate.sampling import overflow, sample
from ..cognate.spelling import Spelling
from ..contract.architecture import CausalLM
from ..contract.prediction import (
    AnyPart,
    PredictedToken,
    PredictionBegun,
    PredictionEnded,
    PredictRequest,
    TokenProbability,
)
from .chat import Chat
from .evaluation import dtype_of, limit_of
from .network import Network, open_network
from .reading import next_logits, read_prompts
from .text import Text

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Speaker:
    """A network with its tokenizer: what it takes to ask a model something."""

    network: Network
    folder: Path
    limit: int
    """Tokens that the model reads at most, its answer among them."""


def open_speaker(architecture: CausalLM, tensors: Mapping[str, Tensor], folder: Path) -> Speaker:
    """On the CPU: the GPU, where there is one, is the workers'. bf16 where the tensors are and the hardware multiplies
    it, else float32. Raises NotRunnable."""
    network = open_network(architecture, tensors, dtype_of("auto", architecture, _CPU), _CPU)
    return Speaker(network, folder, limit_of(architecture))


def generate(speaker: Speaker, request: PredictRequest) -> Iterator[AnyPart]:
    """The answer to the prompt, until a token that ends answers or `max_tokens`. Keys and values are kept, so that
    each token is read once.

    Raises NotRunnable where tokenizer or chat template cannot be read, InvalidSetting where the prompt has no token or
    more than the model reads.
    """
    start = time.perf_counter()
    prompt = request.prompt
    if request.chat:
        prompt = Chat(speaker.folder).rendered([[{"role": "user", "content": prompt}]])[0]
    text = Text(speaker.folder, begins=not request.chat)
    ids = text.prompt(prompt)
    if not ids:
        raise InvalidSetting("prompt", prompt, "has no tokens", "at least one token")
    if len(ids) >= speaker.limit:
        allowed = f"fewer than {speaker.limit}, which is what the model reads"
        raise InvalidSetting("prompt", prompt[:64], f"has {len(ids)} tokens", allowed)
    spelling, shown, answer = Spelling(text.said, ids), Spelling(text.shown, ids), list[int]()

    def ended(reason: str, fault: str | None = None) -> PredictionEnded:
        seconds = time.perf_counter() - start
        return PredictionEnded(answer=text.said(answer), reason=reason, fault=fault, seconds=seconds)

    yield PredictionBegun(read=prompt, prompt_tokens=len(ids))
    with torch.inference_mode():
        read = read_prompts(speaker.network, [ids], _CPU)
    for step in range(request.max_tokens):
        found = sample(read.logits[0], request.temperature, request.seed, step)
        if found is None:
            yield ended("fault", overflow(len(answer)))
            return
        if found.token in text.ends:
            yield ended("end_token")
            return
        likeliest = [TokenProbability(text=shown.of(one), probability=value) for one, value in found.likeliest]
        answer.append(found.token)
        shown.add(found.token)
        yield PredictedToken(
            text=spelling.add(found.token),
            probability=found.probability,
            likeliest=likeliest,
            depth=None,
            memory_gate=None,
        )
        if len(ids) + len(answer) >= speaker.limit:
            yield ended("context_full")
            return
        if step + 1 < request.max_tokens:
            with torch.inference_mode():
                next_logits(speaker.network, read, [found.token])
    yield ended("max_tokens")
