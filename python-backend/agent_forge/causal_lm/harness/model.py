"""A network as the harness asks models: text in, likelihoods and text out, greedily."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from lm_eval.api.model import LM

from ..decoding import continued
from ..network import Network
from ..reading import answer_likelihoods, passage_loss, read_prompts
from ..text import Text


class NetworkLM(LM):  # type: ignore[misc]
    """Requests that come together share a batch, in order of their length; `batch_size` at most."""

    def __init__(
        self, network: Network, text: Text, *, limit: int, batch_size: int, max_tokens: int, device: torch.device
    ) -> None:
        """limit: tokens that the model reads; of a longer context the end is kept. max_tokens: of an answer, where a
        task does not say."""
        super().__init__()
        self._network, self._text, self._limit = network, text, limit
        self._batch_size, self._max_tokens, self._on = batch_size, max_tokens, device

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """(log-likelihood in nats, whether greedy decoding says it) of each continuation."""
        pairs = [self._text.parted(*request.args[:2]) for request in requests]
        found: list[tuple[float, bool]] = [(0.0, False)] * len(pairs)
        for places in self._batches([len(context) + len(answer) for context, answer in pairs]):
            contexts: dict[tuple[int, ...], int] = {}
            owners = []
            for place in places:
                context, answer = pairs[place]
                kept = tuple(context[-max(1, self._limit - len(answer)) :])
                owners.append(contexts.setdefault(kept, len(contexts)))
            read = read_prompts(self._network, list(contexts), self._on)
            answers = [pairs[place][1] for place in places]
            for place, (loss, greedy) in zip(
                places, answer_likelihoods(self._network, read, owners, answers), strict=True
            ):
                found[place] = -loss, greedy
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Of each text what the model reads of it: the first tokens."""
        texts = [self._text.prompt(request.args[0])[: self._limit] for request in requests]
        return [-passage_loss(self._network, one, self._on) if len(one) > 1 else 0.0 for one in texts]

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        found = [""] * len(requests)
        prompts = [self._text.prompt(request.args[0]) for request in requests]
        for places in self._batches(list(map(len, prompts))):
            settings = requests[places[0]].args[1]
            until = settings.get("until") or []
            most = int(settings.get("max_gen_toks") or self._max_tokens)
            room = max(1, self._limit - most)
            read = read_prompts(self._network, [prompts[place][-room:] for place in places], self._on)
            stop = [until] if isinstance(until, str) else list(until)
            said = continued(self._network, read, self._text, stop, min(most, self._limit - 1))
            for place, answer in zip(places, said, strict=True):
                found[place] = answer
        return found

    def _batches(self, lengths: Sequence[int]) -> list[list[int]]:
        order = sorted(range(len(lengths)), key=lambda place: (lengths[place], place))
        return [order[first : first + self._batch_size] for first in range(0, len(order), self._batch_size)]
