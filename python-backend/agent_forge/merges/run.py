"""A merge as a run: written tensor by tensor, taken up again where it was interrupted, registered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from torch import Tensor

from ..contract.architecture import CausalLM
from ..contract.job import Job, ModelDraft
from ..contract.merge import MergePlan
from ..contract.model import Model, ModelKind, Tokenizer
from ..contract.recipe import Leaf, MergeOrigin
from ..evomerge.errors import LeafChanged
from ..evomerge.recipe.materialise import Measuring
from ..evomerge.streaming import Streamed, stream
from ..registry.architecture import file_metadata
from ..registry.bundle.sharding import sharded
from .chat_template import AUTO
from .plan import leaves
from .result import sized

CHECKPOINT_SECONDS = 15.0
"""Between two notes in the run's row that something was finished: a run that is interrupted often is not given up."""
TemplateOf = Callable[[Model], str | None]
"""A model's chat template, as text."""
RefuseUnlike = Callable[[Sequence[Model]], None]
"""Raises where what they compute differs by more than their tensors."""


class Tokens(Protocol):
    """Reads vocabularies of a recipe's models, see `causal_lm.vocabulary`."""

    def __call__(self, digest: str) -> Mapping[str, int]: ...

    def write(self, path: Path) -> Tokenizer | None:
        """The tokenizer.json of a model whose vocabulary was aligned; None where none was."""


def run(
    plan: MergePlan,
    job: Job,
    measuring: Measuring,
    template_of: TemplateOf,
    refuse_unlike: RefuseUnlike,
    tokens: Tokens,
) -> None:
    """Merge and register. Raises `Paused` and `Cancelled` as `job.poll` does, and `MergeRefused` where it cannot be
    done; what was written is gone on from in the next attempt."""
    merge = _Merge(plan, job, tokens)
    start = time.perf_counter()
    merge.prepare(refuse_unlike)
    streamed = merge.write(measuring)
    job.timing("merge", time.perf_counter() - start)
    start = time.perf_counter()
    total = sum(spec.bytes for spec in streamed.specs.values())
    job.progress(total, total, "bytes", "registering")
    model = merge.register(template_of, streamed)
    job.timing("io", time.perf_counter() - start)
    if model.digest != streamed.digest:
        raise LeafChanged(
            f"{model.name} has the digest {model.digest} as it was read, {streamed.digest} as it was written"
        )
    moved = model.bytes + sum(merge.bytes_of(leaf) for _, leaf in leaves(plan.recipe))
    job.report(
        {
            "model_id": model.id,
            "digest": model.digest,
            "parameters": model.parameters,
            "bytes": model.bytes,
            "files": sum(file.format == "safetensors" for file in model.files),
            "resumed_tensors": streamed.resumed,
            "moved_bytes": moved,
        }
    )


class _Merge:
    def __init__(self, plan: MergePlan, job: Job, tokens: Tokens) -> None:
        self.plan, self.job, self.tokens = plan, job, tokens
        self.models: dict[str, Model] = {}
        self._saved = time.monotonic()

    @property
    def _in_folder(self) -> bool:
        return isinstance(self.plan.architecture, CausalLM)

    @property
    def _target(self) -> Path:
        return self.job.kept_files() / ("weights" if self._in_folder else "model.safetensors")

    def prepare(self, refuse_unlike: RefuseUnlike) -> None:
        donor, _ = self.job.load_model(self.plan.donor_id)
        for _, leaf in leaves(self.plan.recipe):
            self._load(leaf)
        refuse_unlike([donor, *self.models.values()])

    def write(self, measuring: Measuring) -> Streamed:
        """What is there of an earlier attempt stays."""
        if self._in_folder:
            self._target.mkdir(exist_ok=True)
        return stream(
            self.plan.recipe,
            self._load,
            self._target,
            files=partial(sharded, most_bytes=self.plan.max_shard_size) if self._in_folder else None,
            metadata=file_metadata(self.plan.architecture, self.plan.recipe),
            measuring=measuring,
            vocabularies=self.tokens,
            progress=self._progress,
        )

    def register(self, template_of: TemplateOf, streamed: Streamed) -> Model:
        plan = self.plan
        self.job.log("the weights are written; they are read once more, hashed and registered")
        donor, _ = self.job.load_model(plan.donor_id)
        reader = self.job.load_model(plan.tokenizer_id)[0] if plan.tokenizer_id is not None else None
        written = self.job.scratch() / "tokenizer.json"
        aligned = self.tokens.write(written)
        tokenizer = aligned or (reader.tokenizer if reader is not None else None)
        template = self._template(template_of)
        if tokenizer is not None and template is not None:
            tokenizer = tokenizer.model_copy(update={"chat_template": True})
        draft = ModelDraft(
            name=plan.name,
            directory=f"merges/{self.job.run_id}",
            kind=ModelKind.merged,
            specialization=None,
            architecture=sized(plan.architecture, streamed.specs, reader),
            documents=donor.folder if self._in_folder else None,
            tokenizer=tokenizer,
            tokenizer_documents=reader.folder if reader is not None and self._in_folder else None,
            tokenizer_file=str(written) if aligned is not None else None,
            chat_template=template,
            origin=MergeOrigin(run_id=self.job.run_id, recipe=plan.recipe),
            parents=list(self.models),
            metrics={},
        )
        return self.job.register_file(draft, self._target)

    def bytes_of(self, leaf: Leaf) -> int:
        return self.models[leaf.model_id].bytes

    def _load(self, leaf: Leaf) -> Mapping[str, Tensor]:
        model, tensors = self.job.load_model(leaf.model_id)
        if model.digest != leaf.digest:
            raise LeafChanged(f"{model.name} has the digest {model.digest}, the recipe was made from {leaf.digest}")
        self.models[model.id] = model
        return tensors

    def _template(self, template_of: TemplateOf) -> str | None:
        """`auto`: the one that most models have; of equals the one that the first has."""
        if self.plan.chat_template != AUTO:
            return self.plan.chat_template
        found = Counter(text for text in map(template_of, self.models.values()) if text is not None)
        return found.most_common(1)[0][0] if found else None

    def _progress(self, done: int, total: int) -> None:
        self.job.poll()
        self.job.progress(done, total, "bytes", "merging")
        if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            self._saved = time.monotonic()
            self.job.save_checkpoint({}, {"done_bytes": done})
