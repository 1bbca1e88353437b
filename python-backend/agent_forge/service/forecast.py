"""What a run will make, need and take, known before it starts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil
from sqlalchemy import Connection

from ..causal_lm.defaults import PROBLEM_TOKENS as CAUSAL_TOKENS
from ..cognate.flops import flops_per_token, step_flops
from ..cognate.presets import architecture, total_steps
from ..cognate.resources import training_bytes
from ..contract.architecture import Preset, TinyTitan, parameter_count, parameter_table, tensor_shapes
from ..contract.cognate import CognateConfig, CognateForecast, Resources, SecondsFrom, SizeForecast
from ..contract.evomerge import EvoMergeForecast, EvoMergeSettings
from ..contract.model import Model
from ..contract.run import PipelineConfig, PipelineForecast
from ..contract.system import Calibration
from ..evomerge.recipe.alignment import aligns
from ..evomerge.resources import MODELS_AT_WORK
from ..execution.resources import PROCESS_BYTES
from ..registry.architecture import forecast_bytes
from ..settings import Settings
from ..store import rates
from ..store.database import Database
from ..store.rates import Part
from .scaling import on_nodes

Expected = tuple[float, SecondsFrom] | tuple[None, None]
"""Seconds, and what the estimate rests on."""

TRAIN_SHARE = {Preset.nano: 0.3, Preset.tinytitan: 1.2, Preset.wide: 1.2}
"""Share of the machine's float32 matmul rate that a training step reaches where no run of the preset has been timed
yet. Measured on two cores with AVX-512; above 1 where steps run in bfloat16."""
ANSWER_SHARE = 1.0
"""The same for answering problems, on the same cores, at nano."""
PROBLEM_TOKENS = 64
"""Mean length of a built-in problem, tokens."""
LIBRARY_BYTES = 400 * 1024**2
"""Resident memory that transformers adds, measured."""
MERGE_SECONDS = 0.1
"""What one merge takes besides reading and writing its bytes."""


@dataclass(frozen=True)
class Shape:
    """What a forecast needs to know of a model that is bred."""

    parameters: int
    bytes: int
    rate: str
    """Under which past runs' rates are kept."""
    answer_flops: float
    """Of a problem."""
    align_flops: float
    aligns: bool
    """Whether parents can be aligned."""


def calibration_of(database: Database) -> Calibration | None:
    stored = database.get_meta("calibration")
    return Calibration.model_validate_json(stored) if stored is not None else None


def titan_shape(arch: TinyTitan) -> Shape:
    return Shape(
        parameter_count(arch), forecast_bytes(arch), arch.preset, _answer_flops(arch), _align_flops(arch), aligns=True
    )


def shape_of(model: Model) -> Shape:
    """Of an admitted parent."""
    if isinstance(model.architecture, TinyTitan):
        return titan_shape(model.architecture)
    answer = 2.0 * CAUSAL_TOKENS * model.parameters
    return Shape(model.parameters, model.bytes, rates.rate_of(model), answer, 0.0, aligns=False)


def resources(settings: Settings, disk: int, memory: int) -> Resources:
    """What is needed, beside what is free now minus the reserves."""
    free = shutil.disk_usage(settings.data).free
    return Resources(
        disk_needed=disk,
        disk_free=max(0, free - settings.disk_reserve_bytes),
        memory_needed=memory,
        memory_free=max(0, psutil.virtual_memory().available - settings.memory_reserve_bytes),
    )


def cognate(
    settings: Settings, connection: Connection, config: CognateConfig, calibration: Calibration | None
) -> CognateForecast:
    """Of a resolved configuration (see `cognate.presets.check`)."""
    arch = architecture(config)
    size, count = forecast_bytes(arch), parameter_count(arch)
    names = [str(s) for s in config.specializations]
    if config.foundation_steps and config.train_steps:
        names.insert(0, "foundation")
    models = [SizeForecast(name=name, parameters=count, bytes=size) for name in names]
    steps = total_steps(config)
    # A checkpoint holds weights and both optimizers' moments, and there are two while one replaces the other.
    checkpoints = 2 * 3 * size if steps else 0
    disk = len(models) * size * len(config.formats) + checkpoints
    memory = training_bytes(config, arch) if steps else PROCESS_BYTES + 2 * size
    seconds, seconds_from = _training_seconds(connection, config, arch, calibration)
    share = len(config.specializations) * (config.train_steps or 0) / steps if steps else 0.0
    return CognateForecast(
        config=config,
        models=models,
        total_parameters=count * len(models),
        total_bytes=size * len(models),
        modules_parameters={row.module: row.parameters for row in parameter_table(tensor_shapes(arch))},
        steps=steps,
        seconds=seconds,
        seconds_from=seconds_from,
        on_nodes=[] if seconds is None else on_nodes(seconds, share * seconds, len(config.specializations), 1),
        resources=resources(settings, disk, memory),
    )


def evomerge(
    settings: Settings,
    connection: Connection,
    config: EvoMergeSettings,
    parents: Sequence[Shape],
    datasets: int,
    calibration: Calibration | None,
    *,
    founded: bool,
) -> EvoMergeForecast:
    """`parents` are those of the parents, all alike; `founded`: they share a foundation."""
    arch = parents[0]
    size, count = arch.bytes, arch.parameters
    candidates = config.generations * config.population
    # On disk: the population at a checkpoint, its predecessor while it is replaced, and the champion.
    disk = (2 * config.population + 1) * size
    copies = len(parents) if arch.aligns and aligns(config.align, founded=founded) else 0
    # In memory: parents, those aligned, those decoupled and the foundation, the population, and what one merge and one
    # evaluation, or a polishing with its gradient, hold.
    memory = PROCESS_BYTES + (2 * len(parents) + copies + 1 + config.population + MODELS_AT_WORK) * size
    # what runs causal LMs, and their tensors in the type that is computed in
    memory += 0 if arch.aligns else LIBRARY_BYTES + 4 * count
    units = rates.breeding_units(config, datasets, len(parents), candidates, aligned=copies > 0)
    seconds, seconds_from = _breeding_seconds(connection, arch, units, calibration)
    alone = units | {Part.merge: 0.0, Part.evaluate: 0.0}
    bred = (seconds or 0.0) - (_breeding_seconds(connection, arch, alone, calibration)[0] or 0.0)
    return EvoMergeForecast(
        settings=EvoMergeSettings.model_validate(config.model_dump(include=set(EvoMergeSettings.model_fields))),
        candidates=candidates,
        min_parameters=count,
        max_parameters=count,
        min_bytes=size,
        max_bytes=size,
        seconds=seconds,
        seconds_from=seconds_from,
        on_nodes=[] if seconds is None else on_nodes(seconds, bred, config.population, config.generations),
        resources=resources(settings, disk, memory),
    )


def pipeline(
    settings: Settings, connection: Connection, config: PipelineConfig, calibration: Calibration | None
) -> PipelineForecast:
    """`config.cognate` is resolved."""
    arch = architecture(config.cognate)
    parents = [titan_shape(arch)] * len(config.cognate.specializations)
    bred = config.evomerge
    return PipelineForecast(
        cognate=cognate(settings, connection, config.cognate, calibration),
        evomerge=None
        if bred is None
        else evomerge(
            settings,
            connection,
            bred,
            parents,
            len(bred.datasets or config.cognate.datasets),
            calibration,
            founded=bool(config.cognate.foundation_steps and config.cognate.train_steps),
        ),
    )


def _training_seconds(
    connection: Connection, config: CognateConfig, arch: TinyTitan, calibration: Calibration | None
) -> Expected:
    units = rates.training_units(config)
    steps = total_steps(config)
    timed = rates.seconds_per_unit(connection, config.preset, units) if steps else None
    if timed is not None:
        return sum(timed[part] * count for part, count in units.items()), "runs"
    if calibration is None:
        return None, None
    rate = calibration.matmul_gflops * 1e9
    writing = len(config.specializations) * forecast_bytes(arch) / (calibration.bandwidth_gbytes * 1e9)
    stepping = steps * step_flops(arch, config.batch_tokens or 0) / (rate * TRAIN_SHARE[config.preset])
    checking = units[Part.check] * _answer_flops(arch) / (rate * ANSWER_SHARE) if steps else 0.0
    return 10 * writing + stepping + checking, "machine"


def _breeding_seconds(
    connection: Connection, arch: Shape, units: Mapping[Part, float], calibration: Calibration | None
) -> Expected:
    timed = rates.seconds_per_unit(connection, arch.rate, units)
    if timed is not None:
        return sum(timed[part] * count for part, count in units.items()), "runs"
    if calibration is None:
        return None, None
    merging = units[Part.merge] * (MERGE_SECONDS + 10 * arch.bytes / (calibration.bandwidth_gbytes * 1e9))
    # the backward pass takes twice as long as the forward pass
    answering = units[Part.evaluate] + units[Part.frame] + 3 * units[Part.polish]
    working = answering * arch.answer_flops + units[Part.align] * arch.align_flops
    return merging + working / (calibration.matmul_gflops * 1e9 * ANSWER_SHARE), "machine"


def _align_flops(arch: TinyTitan) -> float:
    """The costly part of aligning: residual channels are matched twice, each block's units once, as at nano."""
    products = 2 * arch.d_model * parameter_count(arch) + arch.n_layers * arch.d_ff * 2 * arch.d_model * arch.d_ff
    # two operations a product, in float64 at half the measured rate
    return 4 * products


def _answer_flops(arch: TinyTitan) -> float:
    return PROBLEM_TOKENS * flops_per_token(arch, arch.n_layers)
