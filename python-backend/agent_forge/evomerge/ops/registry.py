"""Merge ops: one typed pure function each, whose signature is its registration.

Positional parameters say what an op works on, keyword-only ones are its settings:

    models: Tensors              the inputs' tensors of one name; `Annotated[Tensors, Inputs(1, 1)]` bounds their number
    base: Tensor                 θ₀'s tensor of that name
    fisher: Tensors              the inputs' diagonal Fisher for that name
    grams: Grams                 what matrices of the inputs, or of other models, read on an input's problems
    statistics: StatisticsCache  what other merges of the same inputs share
    draw: Draw                   random numbers keyed by (seed, op, tensor)
    group: str                   the layer group that the tensor is in

A function that takes `models: Models` and returns `StateDict` works on whole models instead.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from torch import Tensor

from ...contract.model import MergeMethod
from ...registry.families.layout import Layout, layout_of
from ..errors import BadParameter, NonFinite, ShapesDiffer, UnknownOp, UnsupportedDtype, WrongInputs
from ..layers import GROUPS, group_of
from .draw import Draw
from .statistics_cache import StatisticsCache, nothing_cached

StateDict = dict[str, Tensor]
Tensors = Sequence[Tensor]
Models = Sequence[Mapping[str, Tensor]]
Grams = Callable[[int, Mapping[str, Tensor]], Mapping[str, Tensor]]
"""(index of an input, a model's tensors) → Σ xᵀx over what each matrix of the model reads on that input's problems, by
the matrix's name: float64 (in, in)."""


_EDGES, _MERGEKIT = "Edges:", "mergekit:"
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""What merges. Arithmetic is in float64; the result is rounded once, to the inputs' type."""


@dataclass(frozen=True)
class Inputs:
    """How many models an op takes; `most` None: any number."""

    least: int = 1
    most: int | None = None


class _Resolved:
    """Marks a setting that may be given by tensor or layer group and reaches the op resolved to the tensor at hand."""


Weight = Annotated[float, Field(ge=-1000, le=1000)]
GroupWeights = list[Weight] | dict[str, list[Weight]]

Weights = Annotated[Sequence[float], _Resolved]
"""One weight per input for the tensor at hand."""
Density = Annotated[float, Field(ge=0, le=1, description="share of each task vector's entries that is kept")]
DropRate = Annotated[float, Field(ge=0, le=1, description="probability that an entry is dropped")]
Scale = Annotated[float, Field(ge=-10, le=10, description="λ, factor of the merged task vector")]

_WEIGHTS = Annotated[
    GroupWeights,
    Field(
        description="one weight per input, or such a list by tensor name or layer group "
        f"({', '.join(GROUPS)}); a name takes precedence over its group; an absent group, or nothing: 1 for each"
    ),
]


@dataclass(frozen=True)
class MergeOp:
    """A registered op."""

    name: str
    function: Callable[..., Any]
    source: str
    inputs: Inputs
    needs: frozenset[str]
    """Names of its positional parameters."""
    whole: bool
    """Works on whole models, not tensor by tensor."""
    copies: bool
    """Makes nothing: every tensor of the result is one of an input's."""
    settings: type[BaseModel]
    resolved: frozenset[str]

    @property
    def measures(self) -> bool:
        """Runs its inputs: its bytes are those of the machine type and torch version that measured."""
        return bool(self.needs & {"fisher", "grams"})

    def describe(self) -> MergeMethod:
        return MergeMethod(
            name=self.name,
            **_described(self.function),
            source=self.source,
            parameters=self.settings.model_json_schema(),
            min_inputs=self.inputs.least,
            max_inputs=self.inputs.most,
            uses_base="base" in self.needs,
            random="draw" in self.needs,
        )

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The settings, checked, defaults filled in, as JSON. Raises `BadParameter`."""
        try:
            return self.settings.model_validate(dict(given)).model_dump(mode="json")
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise BadParameter(f"{self.name}: {field}: {first['msg']}, got {first['input']!r}") from error

    def __call__(
        self,
        models: Models,
        *,
        base: Mapping[str, Tensor] | None = None,
        fisher: Models | None = None,
        grams: Grams | None = None,
        seed: int = 0,
        statistics: Callable[[str], StatisticsCache] = lambda name: nothing_cached,
        known_finite: bool = False,
        layout: Layout | None = None,
        **settings: Any,
    ) -> StateDict:
        """Merge models of one shape into a new one.

        models: name → tensor, all of the same names, shapes and dtypes. base: θ₀, their mean where it is
        absent. fisher: each input's diagonal Fisher, for the ops that need it; grams likewise. seed: key of random
        numbers.
        statistics: tensor name → the statistics that the caller keeps.
        known_finite: the caller has checked, so that NaN and infinities need not be looked for again.
        layout: of the whole models, where those given are parts of them.

        The result may share memory with the inputs, which are left unchanged.
        Raises `MergeRefused` (see errors.py) instead of making something wrong.
        """
        self.check(models, base)
        if "fisher" in self.needs and (fisher is None or len(fisher) != len(models)):
            raise WrongInputs(f"{self.name} needs the diagonal Fisher of each input")
        if "grams" in self.needs and grams is None:
            raise WrongInputs(f"{self.name} needs the Gram matrices of what each input reads")
        if not known_finite:
            for index, model in enumerate(models):
                refuse_non_finite(model, f"input {index}")
            if base is not None:
                refuse_non_finite(base, "the base")
        checked = self.parameters(settings)
        if self.whole:
            merged: StateDict = self.function(models, *([grams] if "grams" in self.needs else []), **checked)
            return merged
        layout = layout_of(models[0]) if layout is None else layout
        out: StateDict = {}
        for name, first in models[0].items():
            if first.numel() == 0:
                out[name] = first
                continue
            tensors, group = [model[name] for model in models], group_of(name, layout)
            values = {
                key: _weights(value, name, group, len(models)) if key in self.resolved else value
                for key, value in checked.items()
            }
            available: dict[str, Any] = {"models": tensors}
            if "group" in self.needs:
                available["group"] = group
            if "base" in self.needs:
                available["base"] = base[name] if base is not None else mean_of(tensors)
            if "draw" in self.needs:
                available["draw"] = Draw(seed, self.name, name)
            if "fisher" in self.needs and fisher is not None:
                available["fisher"] = [diagonal[name] for diagonal in fisher]
            if "statistics" in self.needs:
                available["statistics"] = statistics(name)
            try:
                out[name] = self.function(**available, **values)
            except NonFinite as error:
                raise NonFinite(f"{self.name}: `{name}`: {error}") from None
        return out

    def check(self, models: Models, base: Mapping[str, Tensor] | None) -> None:
        """Raises `MergeRefused` where there are too few or too many, or they differ in shape. Reads no entry."""
        least, most = self.inputs.least, self.inputs.most
        if len(models) < least or (most is not None and len(models) > most):
            allowed = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
            raise WrongInputs(f"{self.name} takes {allowed} models, got {len(models)}")
        try:
            same_shapes(models, base)
        except UnsupportedDtype as error:
            raise UnsupportedDtype(f"{self.name}: {error}") from None


def _described(function: Callable[..., Any]) -> dict[str, Any]:
    """A docstring's paragraphs: the summary, details, and those that begin with `Edges:` and `mergekit:`."""
    summary, *rest = (" ".join(part.split("\n")) for part in inspect.cleandoc(function.__doc__ or "").split("\n\n"))

    def marked(mark: str) -> str | None:
        return next((part.removeprefix(mark).strip() for part in rest if part.startswith(mark)), None)

    details = " ".join(part for part in rest if not part.startswith((_EDGES, _MERGEKIT)))
    return {"summary": summary, "details": details, "edges": marked(_EDGES), "mergekit": marked(_MERGEKIT)}


def mean_of(tensors: Tensors) -> Tensor:
    """θ₀ where none is given."""
    # imported late: a process that merges nothing needs no compiler
    from .combination import combined

    return combined(tensors, [1 / len(tensors)] * len(tensors))


def _weights(given: GroupWeights, name: str, group: str, count: int) -> list[float]:
    chosen = given.get(name, given.get(group, [])) if isinstance(given, dict) else given
    if not chosen:
        return [1.0] * count
    if len(chosen) != count:
        raise BadParameter(f"weights: {len(chosen)} given for {count} inputs (`{name}`, group {group})")
    return chosen


def _finite(tensor: Tensor) -> bool:
    """One pass without a mask: the extremes carry every NaN and infinity.

    Says nothing of types that no op reads: the op refuses them by name.
    """
    if tensor.numel() == 0 or tensor.dtype not in DTYPES:
        return True
    low, high = tensor.aminmax()
    return math.isfinite(low.item()) and math.isfinite(high.item())


def refuse_non_finite(model: Mapping[str, Tensor], what: str) -> None:
    """Raises `NonFinite` where a tensor holds NaN or an infinity."""
    for name, tensor in model.items():
        if not _finite(tensor):
            raise NonFinite(f"{what}: `{name}` holds NaN or an infinity")


def same_shapes(models: Models, base: Mapping[str, Tensor] | None = None) -> None:
    """Raises `ShapesDiffer` or `UnsupportedDtype` where models can't be merged."""
    first = models[0]
    everyone = [*models, base] if base is not None else models
    for index, model in enumerate(everyone):
        what = f"input {index}" if index < len(models) else "the base"
        if model.keys() != first.keys():
            differing = min(model.keys() ^ first.keys())
            raise ShapesDiffer(f"{what}: `{differing}` is not in every model")
        for name, tensor in model.items():
            if tensor.shape != first[name].shape:
                raise ShapesDiffer(f"{what}: `{name}` is {tuple(tensor.shape)}, input 0 has {tuple(first[name].shape)}")
            if tensor.dtype != first[name].dtype:
                raise ShapesDiffer(f"{what}: `{name}` is {tensor.dtype}, input 0 has {first[name].dtype}")
            if tensor.dtype not in DTYPES:
                allowed = ", ".join(str(dtype).removeprefix("torch.") for dtype in DTYPES)
                raise UnsupportedDtype(f"{what}: `{name}` is {tensor.dtype}; mergeable types are {allowed}")


_REGISTRY: dict[str, MergeOp] = {}


def merge_op(source: str, *, copies: bool = False) -> Callable[[Callable[..., Any]], MergeOp]:
    """Register a function under its name. source: paper or documentation."""

    def register(function: Callable[..., Any]) -> MergeOp:
        hints = get_type_hints(function, include_extras=True)
        signature = inspect.signature(function)
        needs: set[str] = set()
        fields: dict[str, Any] = {}
        resolved: set[str] = set()
        inputs = Inputs()
        for name, parameter in signature.parameters.items():
            hint = hints[name]
            extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                needs.add(name)
                inputs = next((extra for extra in extras if isinstance(extra, Inputs)), inputs)
                continue
            if _Resolved in extras:
                resolved.add(name)
                fields[name] = (_WEIGHTS, Field(default_factory=list))
            else:
                fields[name] = (hint, parameter.default)
        settings = create_model(
            function.__name__,
            __config__=ConfigDict(extra="forbid", allow_inf_nan=False),
            **fields,
        )
        op = MergeOp(
            name=function.__name__,
            function=function,
            source=source,
            inputs=inputs,
            needs=frozenset(needs),
            whole=hints["return"] == StateDict,
            copies=copies,
            settings=settings,
            resolved=frozenset(resolved),
        )
        _REGISTRY[op.name] = op
        return op

    return register


@cache
def merge_ops() -> dict[str, MergeOp]:
    """Every op by name, from the modules of this package."""
    from .. import ops

    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")
    return dict(sorted(_REGISTRY.items()))


def merge_op_named(name: str) -> MergeOp:
    """Raises `UnknownOp`."""
    try:
        return merge_ops()[name]
    except KeyError:
        raise UnknownOp(f"`{name}` is not a merge method; the methods are {', '.join(merge_ops())}") from None
