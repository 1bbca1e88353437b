"""A very small architecture and its weights, for tests that must run in milliseconds."""

from __future__ import annotations

import torch
from torch import Tensor

from agent_forge.cognate.batch import Batch, Encoded, collate
from agent_forge.cognate.initialization import draw_all
from agent_forge.cognate.model import TinyTitanModel
from agent_forge.cognate.predict import predict
from agent_forge.contract.architecture import Preset, TinyTitan
from agent_forge.contract.prediction import PredictedToken, PredictionBegun, PredictionEnded, PredictRequest

TINY = TinyTitan(preset=Preset.nano, vocab_size=264, d_model=32, n_layers=3, n_heads=2, d_ff=64, window=8)


def weights(arch: TinyTitan = TINY, seed: int = 1, *, scale: float = 3.0, halting: float = -1.0) -> dict[str, Tensor]:
    """Larger than at the start of training, so that every mechanism has a visible effect; tokens halt early."""
    tensors = {name: tensor * scale if tensor.dim() == 2 else tensor for name, tensor in draw_all(arch, seed).items()}
    tensors["act_halting.bias"] = torch.full((1,), halting)
    tensors["act_halting.weight"] = 4 * tensors["act_halting.weight"]
    return tensors


def model(arch: TinyTitan = TINY, **options: float) -> TinyTitanModel:
    return TinyTitanModel(arch).bind(weights(arch, **options)).requires_grad_(False)  # type: ignore[arg-type]


def rows(*texts: str) -> Batch:
    """Every position of every text is a label, in order of the texts."""
    encoded = [Encoded(list(t.encode()), list(range(len(t))), [65] * len(t), [True] * len(t)) for t in texts]
    return collate(encoded, 256)


def logits(titan: TinyTitanModel, text: str, **options: bool) -> Tensor:
    """[length, vocabulary]"""
    batch = rows(text)
    return titan(batch.tokens, batch.layout, batch.labels, **options).logits


def predicted(tensors: dict[str, Tensor], prompt: str, count: int) -> tuple[list[PredictedToken], PredictionEnded]:
    begun, *tokens, ended = predict(TINY, tensors, PredictRequest(prompt=prompt, max_tokens=count))
    assert isinstance(begun, PredictionBegun)
    assert isinstance(ended, PredictionEnded)
    return [token for token in tokens if isinstance(token, PredictedToken)], ended
