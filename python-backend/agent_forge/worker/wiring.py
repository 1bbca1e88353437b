"""Where the engine's parts are put together: phases with their evaluators, recipes with what they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ..causal_lm.chat import template_text
from ..causal_lm.errors import NotRunnable
from ..causal_lm.evaluation import CausalEvaluator, Measured
from ..causal_lm.likeness import refuse_unlike
from ..causal_lm.vocabulary import Tokens
from ..cognate import phase as cognate
from ..cognate.bench import device_of
from ..cognate.evaluation import Evaluator, ProblemSet
from ..cognate.initialization import draw_all
from ..cognate.presets import filled
from ..contract.architecture import CausalLM, TinyTitan
from ..contract.cognate import CognateConfig
from ..contract.evomerge import CausalLMSettings, EvoMergeConfig
from ..contract.job import Job
from ..contract.model import Model
from ..contract.recipe import Leaf, MergeNode, Recipe, TrainingOrigin
from ..contract.run import Run
from ..evomerge import phase as evomerge
from ..evomerge.ops.registry import StateDict
from ..evomerge.recipe.materialise import Recall, materialise
from ..evomerge.recipe.tree import nodes, recipe_digest
from ..execution.executor import Executor
from ..merges import run as merge
from ..merges.alike import OF_SHAPE
from ..registry.digest import sha256_file
from ..registry.files import ModelFiles
from ..registry.rebuild import Materialise, Tensors, not_asked_for
from ..settings import Settings
from .defaults import settled


def work(run: Run, job: Job, settings: Settings, executor: Executor | None = None) -> None:
    """Do the run's work through its job. executor: where its children are worked on; None: in this process."""
    if run.cognate is not None:
        cognate.run(run.cognate, job, dataset_roots=settings.dataset_roots, executor=executor)
    elif run.merge is not None:
        files = ModelFiles(settings.models, settings.disk_reserve_bytes)
        tokens = Tokens(run.merge.recipe, lambda model_id: job.load_model(model_id)[0], files)
        merge.run(run.merge, job, _Measuring(settings), partial(_template, settings), _refuse_unlike, tokens)
    elif run.evomerge is not None:
        evomerge.run(run.evomerge, job, partial(make_evaluator, settings=settings), executor)
    else:
        raise ValueError(f"run {run.id} has no configuration: its parents were never supplied")


def make_evaluator(
    config: EvoMergeConfig, parents: Sequence[Model], *, settings: Settings
) -> Evaluator | CausalEvaluator:
    """On the problems that the configuration names, else on those that the parents were trained for."""
    if isinstance(parents[0].architecture, CausalLM):
        refuse_unlike((one.name, one.architecture) for one in parents if isinstance(one.architecture, CausalLM))
        return _causal_evaluator(settled(config, parents[0].architecture), parents[0], settings)
    trained = next((p.origin.config for p in parents if isinstance(p.origin, TrainingOrigin)), {})
    own = CognateConfig.model_validate(trained)
    datasets = tuple(choice.name for choice in (config.datasets or own.datasets))
    arch = parents[0].architecture
    if not isinstance(arch, TinyTitan):
        raise ValueError(f"{parents[0].name} is not of the TinyTitan family")

    config = settled(config, arch)

    def problems(count: int) -> ProblemSet:
        return ProblemSet(datasets, own.difficulty, count, own.tokenizer)

    return Evaluator(
        arch,
        problems(filled(config.eval_problems)),
        problems(config.heldout_problems),
        roots=settings.dataset_roots,
        device=device_of(own.model_copy(update={"device": config.device})),
        precision=own.precision,
    )


def _causal_evaluator(config: EvoMergeConfig, parent: Model, settings: Settings) -> CausalEvaluator:
    """By the first parent's tokenizer, which is the others' too."""
    if not isinstance(parent.architecture, CausalLM) or parent.folder is None or parent.tokenizer is None:
        raise ValueError(f"{parent.name} has no tokenizer: it was admitted as a parent all the same")
    measured = Measured(
        tuple(choice.name for choice in config.datasets or ()),
        CognateConfig().difficulty,
        filled(config.eval_problems),
        config.heldout_problems,
        config.causal_lm,
    )
    return CausalEvaluator(
        parent.architecture,
        _folder(settings, parent.folder),
        measured,
        roots=settings.dataset_roots,
        device=device_of(CognateConfig(device=config.device)),
        named={"folder": parent.folder, "sha256": parent.tokenizer.sha256},
    )


def _folder(settings: Settings, relative: str) -> Path:
    return ModelFiles(settings.models, settings.disk_reserve_bytes).inside(relative)


def _refuse_unlike(models: Sequence[Model]) -> None:
    """By their configs as transformers reads them; depth and vocabulary are matters of the recipe."""
    causal = [(one.name, one.architecture) for one in models if isinstance(one.architecture, CausalLM)]
    if causal:
        refuse_unlike(causal, OF_SHAPE)


def _template(settings: Settings, model: Model) -> str | None:
    return template_text(_folder(settings, model.folder)) if model.folder is not None else None


def redraw(origin: TrainingOrigin) -> Tensors:
    """A model that was never trained, drawn again from its seed. Raises NotRebuildableError for all others."""
    if origin.steps or origin.initial is not None:
        raise not_asked_for(origin)
    return draw_all(origin.architecture, origin.seed)


def retrain(origin: TrainingOrigin, initial: Tensors | None, settings: Settings) -> Tensors:
    """Train a model again; `initial` are its foundation's tensors. The same bytes on this machine and thread count."""
    return cognate.replay(origin, initial, dataset_roots=settings.dataset_roots)


class _Measuring:
    """Measures as a recipe's calibration says, which names everything it needs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def fisher(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> Mapping[str, Tensor]:
        return self._evaluator(calibration).fisher(tensors, calibration)

    def grams(self, tensors: Mapping[str, Tensor], calibration: Mapping[str, Any]) -> Mapping[str, Tensor]:
        return self._evaluator(calibration).grams(tensors, calibration)

    def _evaluator(self, calibration: Mapping[str, Any]) -> Evaluator | CausalEvaluator:
        if calibration["architecture"].get("kind") == "causal_lm":
            return self._causal(calibration)
        named = ProblemSet(
            tuple(calibration["datasets"]),
            int(calibration["difficulty"]),
            int(calibration["problems"]),
            str(calibration["tokenizer"]),
        )
        arch = TinyTitan.model_validate(calibration["architecture"])
        return Evaluator(arch, named, named, roots=self._settings.dataset_roots)

    def _causal(self, calibration: Mapping[str, Any]) -> CausalEvaluator:
        count, relative = int(calibration["problems"]), str(calibration["tokenizer"]["folder"])
        measured = Measured(
            tuple(calibration["datasets"]),
            int(calibration["difficulty"]),
            count,
            count,
            CausalLMSettings(chat=bool(calibration["chat"])),
        )
        folder = _folder(self._settings, relative)
        found = sha256_file(folder / "tokenizer.json")
        if found != calibration["tokenizer"]["sha256"]:
            raise NotRunnable(f"{relative}/tokenizer.json is another file than the recipe was measured with: {found}")
        shape = CausalLM.model_validate(calibration["architecture"])
        return CausalEvaluator(shape, folder, measured, roots=self._settings.dataset_roots)


def materialiser(settings: Settings, find: Callable[[str], Model | None]) -> Materialise:
    """Recipe and leaves' tensors → the tensors that it stands for; inputs are measured where it asks, and vocabularies
    read. find: a registered model by id.

    Aligned parents take longest, and all candidates of a run share them: they are kept from one call to the next.
    """
    aligned: dict[str, StateDict] = {}
    files = ModelFiles(settings.models, settings.disk_reserve_bytes)

    def make(recipe: Recipe, leaves: Mapping[str, Tensors]) -> Tensors:
        def load(leaf: Leaf) -> Mapping[str, Tensor]:
            return leaves[leaf.model_id]

        nonlocal aligned
        lasting = {recipe_digest(n) for n in nodes(recipe) if isinstance(n, MergeNode) and n.op == "align"}
        recall = Recall(lasting=lasting, made={key: aligned[key] for key in lasting & aligned.keys()})
        made = materialise(recipe, load, _Measuring(settings), recall, Tokens(recipe, find, files))
        aligned = recall.made
        return made

    return make
