"""Merges for the API: planned, forecast, queued."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection

from ..causal_lm.harness.files import PREFIX, check_task, metric_of
from ..cognate.errors import InvalidSetting
from ..contract.architecture import CausalLM
from ..contract.evomerge import EvolveConfig, EvoMergeConfig
from ..contract.merge import MergeConfig, MergeForecast, MergePlan
from ..contract.problem import FieldError
from ..contract.recipe import Leaf, MergeNode, Recipe
from ..contract.run import Progress, Run, RunKind
from ..evomerge.recipe.tree import nodes, parts
from ..execution.resources import PROCESS_BYTES
from ..merges.errors import ConfigurationRefused, RecipeRefused
from ..merges.evolution import evolution
from ..merges.outline import Outline, read_bytes
from ..merges.plan import leaves, planned
from ..registry.architecture import file_metadata
from ..registry.bundle.causal_lm import count_parameters, model_type_of
from ..registry.bundle.sharding import MOST_SHARDS, sharded
from ..registry.errors import FileDiffersError, FileMissingError
from ..registry.files import ModelFiles
from ..registry.header import TensorSpec, file_bytes
from ..settings import Settings
from ..store import rates, run_rows
from ..store.catalog import Catalog
from ..store.database import Database
from ..store.errors import Refusal
from ..store.proving import Proving
from ..store.rates import Part
from . import admission
from .forecast import MERGE_SECONDS, Expected, calibration_of, resources
from .new_run import found, new_run
from .orders import Orders
from .workers import Workers

WORKING_BYTES = 512 * 2**20
"""What a merge tensor by tensor holds beside mapped files, for models of any size; measured."""
_QUEUED = Progress(done=0, total=0, unit="bytes", stage="queued", eta_seconds=None)
_WHOLE = frozenset({"align"})
"""Ops that work on whole models, beside those that measure them."""


class MergeService:
    """Implements `api.services.MergeService`. Called from threads; every method is one transaction."""

    def __init__(
        self, settings: Settings, database: Database, files: ModelFiles, proving: Proving, workers: Workers
    ) -> None:
        self._settings, self._database, self._files = settings, database, files
        self._proving, self._workers = proving, workers
        self._orders = Orders(database)

    def create(self, config: MergeConfig, *, key: str | None, trace_id: str | None) -> Run:
        if key is None or not self._orders.used(key):
            self._prove(config)
        with self._orders.creating("merge", config, key) as (tx, known):
            if known is not None:
                return found(tx.connection, known)
            run = new_run(RunKind.merge, _named, _QUEUED, trace_id)
            plan, outline, foreseen = self._planned(tx.connection, config, f"merge_{run.id[-6:].lower()}")
            admission.admit_resources(foreseen.resources)
            total = sum(one.spec.bytes for one in outline.values())
            progress = _QUEUED.model_copy(update={"total": total})
            run = run.model_copy(update={"merge": plan, "progress": progress})
            run_rows.create(tx, run)
            self._orders.remember(tx, "merge", config, key, run.id)
        self._workers.wake()
        return run

    def forecast(self, config: MergeConfig) -> MergeForecast:
        with self._database.read() as connection:
            return self._planned(connection, config, "merge")[2]

    def evolution(self, config: EvolveConfig) -> EvoMergeConfig:
        """What a configuration of mergekit-evolve means here. Raises `Refusal` with the line."""
        with self._database.read() as connection, _refusing():
            return evolution(config.configuration, Catalog(connection, self._files).named, self._metric)

    def _metric(self, dataset: str) -> str:
        """Data sets other than the harness's tasks are solved by the exact answer, or the right choice."""
        if not dataset.startswith(PREFIX):
            return "acc"
        try:
            return metric_of(check_task(dataset, self._settings.dataset_roots, "tasks"))
        except InvalidSetting as error:
            allowed = f"; there is {error.allowed}" if error.allowed else ""
            raise LookupError(f"{dataset} {error.message}{allowed}") from error

    def _planned(
        self, connection: Connection, config: MergeConfig, name: str
    ) -> tuple[MergePlan, Outline, MergeForecast]:
        catalog = Catalog(connection, self._files)
        with _refusing():
            plan, outline = planned(config, catalog, name)
        return plan, outline, self._foreseen(connection, catalog, plan, outline)

    def _foreseen(self, connection: Connection, catalog: Catalog, plan: MergePlan, outline: Outline) -> MergeForecast:
        specs = {name: one.spec for name, one in outline.items()}
        files = sharded(specs, plan.max_shard_size)
        if len(files) > MOST_SHARDS:
            raise admission.invalid(
                "max_shard_size", plan.max_shard_size, f"makes {len(files)} files", f"at most {MOST_SHARDS} files"
            )
        if len(files) > 1 and not isinstance(plan.architecture, CausalLM):
            raise admission.invalid(
                "max_shard_size", plan.max_shard_size, "is for models that are folders", "null, for a single file"
            )
        head = file_metadata(plan.architecture, plan.recipe)
        written = sum(file_bytes({name: specs[name] for name in names}, head) for names in files.values())

        def of(leaf: Leaf) -> Mapping[str, TensorSpec]:
            model = catalog.find(leaf.model_id)
            assert model is not None  # noqa: S101 - the plan is made of registered models
            return catalog.specs(model)

        read = read_bytes(plan.recipe, of)
        largest = max((spec.bytes for spec in specs.values()), default=0)
        merges = [one for one in nodes(plan.recipe) if isinstance(one, MergeNode)]
        # what is made on the way to a large tensor lies in files without a name
        disk = written + max(0, len(merges) - 1) * largest
        memory = PROCESS_BYTES + WORKING_BYTES + _in_memory(plan.recipe, of)
        seconds, seconds_from = self._seconds(connection, plan.recipe, read + written)
        words, why_not = catalog.mergekit(plan.recipe)
        return MergeForecast(
            plan=plan,
            parameters=count_parameters(specs, model_type_of(plan.architecture)),
            bytes=written,
            files=len(files),
            read_bytes=read,
            seconds=seconds,
            seconds_from=seconds_from,
            resources=resources(self._settings, disk, memory),
            mergekit=words,
            not_expressible=why_not,
        )

    def _seconds(self, connection: Connection, recipe: Recipe, moved: int) -> Expected:
        timed = rates.seconds_per_unit(connection, rates.rate_of_merge(recipe), {Part.stream: moved})
        if timed is not None:
            return timed[Part.stream] * moved, "runs"
        calibration = calibration_of(self._database)
        if calibration is None:
            return None, None
        return MERGE_SECONDS + 10 * moved / (calibration.bandwidth_gbytes * 1e9), "machine"

    def _prove(self, config: MergeConfig) -> None:
        """Before any transaction: reading gigabytes may take seconds. Raises `Refusal` naming the model."""
        with self._database.read() as connection:
            catalog = Catalog(connection, self._files)
            with _refusing():
                plan, _ = planned(config, catalog, "merge")
            models = [(path, catalog.find(leaf.model_id)) for path, leaf in leaves(plan.recipe)]
        proved: set[str] = set()
        for path, model in models:
            if model is None or model.id in proved:
                continue
            proved.add(model.id)
            try:
                self._proving.weights(model)
            except (FileMissingError, FileDiffersError) as error:
                allowed = "models whose files are unchanged since they were registered"
                field = path if config.recipe is not None else "configuration"
                fault = FieldError(field=field, message=str(error), value=model.id, allowed=allowed)
                raise Refusal(error.code, f"{error}", [fault]) from error


def _named(run_id: str) -> str:
    return f"merge {run_id[-6:].lower()}"


def _in_memory(recipe: Recipe, specs: Callable[[Leaf], Mapping[str, TensorSpec]]) -> int:
    """Bytes of the sub-recipes that are made whole, with what they are made from."""
    if isinstance(recipe, Leaf):
        return 0
    if recipe.op in _WHOLE or "calibration" in recipe.parameters:
        return 2 * read_bytes(recipe, specs)
    return sum(_in_memory(part, specs) for part in parts(recipe))


@contextmanager
def _refusing() -> Iterator[None]:
    """What a plan refuses as the API says it."""
    try:
        yield
    except ConfigurationRefused as error:
        fault = FieldError(field=error.key or "configuration", message=f"line {error.line}: {error.message}")
        raise Refusal("configuration_refused", str(error), [fault]) from error
    except RecipeRefused as error:
        fault = FieldError(field=error.field, message=error.message)
        raise Refusal("invalid_request", str(error), [fault]) from error
