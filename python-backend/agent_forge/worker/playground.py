"""Models that a person asks something, the last one of them kept open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from ..causal_lm.errors import NotRunnable
from ..causal_lm.generation import Speaker, generate, open_speaker
from ..cognate.predict import predict
from ..contract.architecture import CausalLM, TinyTitan
from ..contract.cognate import CognateConfig
from ..contract.model import Model
from ..contract.prediction import AnyPart, PredictRequest
from ..contract.recipe import TrainingOrigin
from ..registry.bundle.view import TensorView
from ..registry.files import ModelFiles
from ..settings import Settings
from ..store.errors import Refusal

_WIDEST = 4
"""Bytes of a parameter, where it is widened to float32."""


class Playground:
    """One network is open at a time. It is kept for the next question up to `playground_memory_bytes`; a larger one is
    opened anew for each."""

    def __init__(self, settings: Settings, files: ModelFiles, find: Callable[[str], Model | None]) -> None:
        self._settings, self._files, self._find = settings, files, find
        self._open: tuple[str, Speaker] | None = None

    def answer(self, model: Model, request: PredictRequest) -> Iterator[AnyPart]:
        """Raises Refusal, NotRunnable and InvalidSetting before the first part, RegistryError where files are gone."""
        match model.architecture:
            case TinyTitan() as architecture:
                self._open = None
                return predict(
                    architecture,
                    TensorView(self._files.weights(model)),
                    request,
                    tokenizer=self._tokenizer_of(model),
                    roots=self._settings.dataset_roots,
                )
            case CausalLM() as architecture:
                return self._generated(model, architecture, request)
            case _:
                raise NotRunnable(f"{model.name} is of an unknown architecture")

    def _generated(self, model: Model, architecture: CausalLM, request: PredictRequest) -> Iterator[AnyPart]:
        speaker = self._opened(model, architecture)
        yield from generate(speaker, request)

    def _opened(self, model: Model, architecture: CausalLM) -> Speaker:
        if self._open is not None and self._open[0] == model.digest + (model.folder or ""):
            return self._open[1]
        self._open = None
        if model.folder is None or model.tokenizer is None:
            raise NotRunnable(f"{model.name} has no tokenizer: bring it as a folder with its tokenizer.json")
        needed = _WIDEST * model.parameters
        free = psutil.virtual_memory().available - self._settings.memory_reserve_bytes
        if needed > free:
            raise Refusal("insufficient_memory", f"{model.name} takes {needed:,} bytes of memory; {free:,} are free")
        folder: Path = self._files.inside(model.folder)
        speaker = open_speaker(architecture, TensorView(self._files.weights(model)), folder)
        if needed <= self._settings.playground_memory_bytes:
            self._open = model.digest + model.folder, speaker
        return speaker

    def _tokenizer_of(self, model: Model) -> str:
        """That which it, or what it was merged from, was trained with."""
        if isinstance(model.origin, TrainingOrigin):
            return CognateConfig.model_validate(model.origin.config).tokenizer
        for parent in model.parents:
            found = self._find(parent)
            if found is not None:
                return self._tokenizer_of(found)
        return "bytes"
