"""Merge ops: one typed pure function each, whose signature is its registration.

Positional parameters say what an op works on, keyword-only ones are its settings:

    models: Tensors              the inputs' tensors of one name; `Annotated[Tensors, Inputs(1, 1)]` bounds their number
    base: Tensor                 θ₀'s tensor of that name
    fisher: Tensors              the inputs' diagonal Fisher for that name
    grams: Grams                 what matrices of the inputs, or of other models, read on an input's problems
    statistics: StatisticsCache  what other merges of the same inputs share
    draw: Draw                   random numbers keyed by (seed, op, tensor)
    group: str                   the layer group that the tensor is in
    vocabularies: Vocabularies   ids by token, by the digest of a vocabulary
    layout: Layout               what the models' names mean

A function that takes `models: Models` and returns `StateDict` works on whole models instead.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from torch import Tensor

from ...contract.model import MergeMethod
from ...registry.families.layout import Layout, layout_of
from ..errors import BadParameter, NonFinite, ShapesDiffer, UnknownOp, UnsupportedDtype, WrongInputs
from ..layers import GROUPS, group_of
from ..vocabulary import Vocabularies
from .draw import Draw
from .statistics_cache import StatisticsCache, nothing_cached

StateDict = dict[str, Tensor]
Tensors = Sequence[Tensor]
Models = Sequence[Mapping[str, Tensor]]
Grams = Callable[[int, Mapping[str, Tensor]], Mapping[str, Tensor]]
"""(index of an input, a model's tensors) → Σ xᵀx over what each matrix of the model reads on that input's problems, by
the matrix's name: float64 (in, in)."""


ByTensor = Mapping[str, Mapping[str, Any]]
"""Tensor's name, or `*` for all → setting → its value there."""

_EDGES, _MERGEKIT = "Edges:", "mergekit:"
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""What merges. Arithmetic is in float64; the result is rounded once, to the narrowest type that has all inputs'
numbers."""


@dataclass(frozen=True)
class Inputs:
    """How many models an op takes; `most` None: any number."""

    least: int = 1
    most: int | None = None


class _Resolved:
    """Marks a setting that may be given by tensor or layer group and reaches the op resolved to the tensor at hand."""


class PerInput:
    """Marks a number that `by_tensor` may give for each input; it reaches the op as one or as a list, see `each`."""


Weight = Annotated[float, Field(ge=-1000, le=1000)]
GroupWeights = list[Weight] | dict[str, list[Weight]]

Weights = Annotated[Sequence[float], _Resolved]
"""One weight per input for the tensor at hand."""
Shares = float | Sequence[float]
Density = Annotated[
    Shares, PerInput(), Field(ge=0, le=1, description="share of each task vector's entries that is kept")
]
DropRate = Annotated[Shares, PerInput(), Field(ge=0, le=1, description="probability that an entry is dropped")]
Normalize = Annotated[
    bool, Field(description="divide the sum of what agrees by the sum of its weights; false: leave it a sum")
]
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
    """What it does not make is an input's own tensor; run on the meta device it tells which."""
    adapts: bool
    """Its second input is no model but says how the first changes: it is taken whole for each tensor."""
    settings: type[BaseModel]
    resolved: frozenset[str]
    per_input: frozenset[str]

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
        vocabularies: Vocabularies | None = None,
        seed: int = 0,
        statistics: Callable[[str], StatisticsCache] = lambda name: nothing_cached,
        known_finite: bool = False,
        layout: Layout | None = None,
        by_tensor: ByTensor = MappingProxyType({}),
        **settings: Any,
    ) -> StateDict:
        """Merge models of one shape into a new one.

        models: name → tensor, all of the same names, shapes and dtypes. base: θ₀, their mean where it is
        absent. fisher: each input's diagonal Fisher, for the ops that need it; grams and vocabularies likewise. seed:
        key of random numbers.
        statistics: tensor name → the statistics that the caller keeps.
        known_finite: the caller has checked, so that NaN and infinities need not be looked for again.
        layout: of the whole models, where those given are parts of them.
        by_tensor: settings that differ for a tensor, or for all under `*`.

        The result may share memory with the inputs, which are left unchanged.
        Raises `MergeRefused` (see errors.py) instead of making something wrong.
        """
        # imported late: a process that merges nothing needs no compiler
        from .chunks import converted

        checked = self.parameters(settings)
        self.check(models, base, rows=bool(checked.get("of")), layout=layout)
        if "fisher" in self.needs and (fisher is None or len(fisher) != len(models)):
            raise WrongInputs(f"{self.name} needs the diagonal Fisher of each input")
        if "grams" in self.needs and grams is None:
            raise WrongInputs(f"{self.name} needs the Gram matrices of what each input reads")
        if not known_finite:
            for index, model in enumerate(models):
                refuse_non_finite(model, f"input {index}")
            if base is not None:
                refuse_non_finite(base, "the base")
        if self.whole:
            if by_tensor:
                raise BadParameter(f"{self.name} works on whole models: its parameters are the same for every tensor")
            offered = {
                "grams": grams,
                "vocabularies": vocabularies or _no_vocabulary,
                "layout": layout or (layout_of(models[0]) if "layout" in self.needs else None),
            }
            whole: StateDict = self.function(
                models, **{name: offered[name] for name in offered if name in self.needs}, **checked
            )
            if self.copies:
                return whole
            return {
                name: converted(tensor, self.dtype_of([model[name] for model in models], checked))
                for name, tensor in whole.items()
            }
        layout = layout_of(models[0]) if layout is None else layout
        out: StateDict = {}
        for name, first in models[0].items():
            if first.numel() == 0:
                out[name] = first
                continue
            tensors, group = [model[name] for model in models], group_of(name, layout)
            values = {
                key: _weights(value, name, group, len(models)) if key in self.resolved else value
                for key, value in (checked | self._differing(by_tensor, name, len(models))).items()
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
                merged: Tensor = self.function(**available, **values)
                # an op may give back an input as it is
                given = [*tensors, available["base"]] if "base" in available else tensors
                out[name] = converted(merged, self.dtype_of(given, checked))
            except NonFinite as error:
                raise NonFinite(f"{self.name}: `{name}`: {error}") from None
        return out

    def outline(
        self,
        models: Models,
        base: Mapping[str, Tensor] | None,
        settings: Mapping[str, Any],
        by_tensor: ByTensor,
        vocabularies: Vocabularies | None = None,
    ) -> StateDict:
        """Names, shapes and types of the result, from those of the inputs, on the meta device. Of an op that copies,
        tensors that it does not make are the inputs' own. Raises `MergeRefused`."""
        if not self.copies:
            self.check(models, base)
        unknown = sorted(by_tensor.keys() - models[0].keys() - {"*"})
        if unknown:
            raise BadParameter(f"{self.name}: by_tensor names `{unknown[0]}`, which is no tensor of its inputs")
        if self.copies:
            return self(models, known_finite=True, vocabularies=vocabularies, by_tensor=by_tensor, **settings)
        everyone = [*models, base] if base is not None else models
        return {
            name: first.to(self.dtype_of([model[name] for model in everyone], settings))
            for name, first in models[0].items()
        }

    def dtype_of(self, tensors: Tensors, settings: Mapping[str, Any]) -> torch.dtype:
        """Of a tensor of the result: what the op is told, else the narrowest type that has all inputs' numbers."""
        if "dtype" in self.settings.model_fields:
            found: torch.dtype = getattr(torch, self.parameters(settings)["dtype"])
            return found
        return reduce(torch.promote_types, (tensor.dtype for tensor in tensors))

    def _differing(self, by_tensor: ByTensor, name: str, count: int) -> dict[str, Any]:
        """What `by_tensor` says of a tensor, checked. count: of the inputs. Raises `BadParameter`."""
        found: dict[str, Any] = {}
        for key, value in {**by_tensor.get("*", {}), **by_tensor.get(name, {})}.items():
            if key in self.per_input and isinstance(value, Sequence) and not isinstance(value, str):
                if len(value) != count:
                    raise BadParameter(f"{self.name}: {key} of `{name}`: {len(value)} given for {count} inputs")
                found[key] = [self.parameters({key: one})[key] for one in value]
            else:
                found[key] = self.parameters({key: value})[key]
        return found

    def check(
        self,
        models: Models,
        base: Mapping[str, Tensor] | None,
        *,
        rows: bool = False,
        layout: Layout | None = None,
    ) -> None:
        """Raises `MergeRefused` where there are too few or too many, or they differ in shape. Reads no entry.

        rows: embedding and head may differ in their number of rows. layout: as in a call."""
        least, most = self.inputs.least, self.inputs.most
        if len(models) < least or (most is not None and len(models) > most):
            allowed = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
            raise WrongInputs(f"{self.name} takes {allowed} models, got {len(models)}")
        if self.adapts:
            models = models[:1]
        try:
            by_token = (layout or layout_of(models[0])).by_token if rows else None
            same_shapes(models, base, stacks=self.copies, by_token=by_token)
        except UnsupportedDtype as error:
            raise UnsupportedDtype(f"{self.name}: {error}") from None


def _no_vocabulary(digest: str) -> Mapping[str, int]:
    raise LookupError("this recipe aligns vocabularies, and nothing here can read them")


def each(value: Shares, count: int) -> list[float]:
    """One number for each input."""
    return [float(value)] * count if isinstance(value, float | int) else list(value)


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
    """Of types that no op reads nothing is said here: the op refuses them by name."""
    # imported late: a process that merges nothing needs no compiler
    from .chunks import finite

    return tensor.numel() == 0 or tensor.dtype not in DTYPES or finite(tensor)


def refuse_non_finite(model: Mapping[str, Tensor], what: str) -> None:
    """Raises `NonFinite` where a tensor holds NaN or an infinity."""
    for name, tensor in model.items():
        if not _finite(tensor):
            raise NonFinite(f"{what}: `{name}` holds NaN or an infinity")


def same_shapes(
    models: Models,
    base: Mapping[str, Tensor] | None = None,
    *,
    stacks: bool = False,
    by_token: Callable[[str, int], bool] | None = None,
) -> None:
    """Raises `ShapesDiffer` or `UnsupportedDtype` where models can't be merged. stacks: they may differ in their number
    of layers. by_token: tensors, by name and dimensions, that may differ in their number of rows."""
    first = models[0]
    everyone = [*models, base] if base is not None else models
    for index, model in enumerate(everyone):
        what = f"input {index}" if index < len(models) else "the base"
        differing = model.keys() ^ first.keys()
        if stacks and differing:
            layouts = layout_of(first), layout_of(model)
            differing = {name for name in differing if all(one.place(name).layer is None for one in layouts)}
        if differing:
            raise ShapesDiffer(f"{what}: `{min(differing)}` is not in every model")
        for name, tensor in model.items():
            if name in first and tensor.shape != first[name].shape:
                if by_token is not None and tensor.shape[1:] == first[name].shape[1:] and by_token(name, tensor.dim()):
                    continue
                raise ShapesDiffer(f"{what}: `{name}` is {tuple(tensor.shape)}, input 0 has {tuple(first[name].shape)}")
            if tensor.dtype not in DTYPES:
                allowed = ", ".join(str(dtype).removeprefix("torch.") for dtype in DTYPES)
                raise UnsupportedDtype(f"{what}: `{name}` is {tensor.dtype}; mergeable types are {allowed}")


_REGISTRY: dict[str, MergeOp] = {}


def merge_op(source: str, *, copies: bool = False, adapts: bool = False) -> Callable[[Callable[..., Any]], MergeOp]:
    """Register a function under its name. source: paper or documentation."""

    def register(function: Callable[..., Any]) -> MergeOp:
        hints = get_type_hints(function, include_extras=True)
        signature = inspect.signature(function)
        needs: set[str] = set()
        fields: dict[str, Any] = {}
        resolved: set[str] = set()
        per_input: set[str] = set()
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
            elif any(isinstance(extra, PerInput) for extra in extras):
                per_input.add(name)
                bounds = next(extra for extra in extras if not isinstance(extra, PerInput))
                fields[name] = (Annotated[float, bounds], parameter.default)
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
            adapts=adapts,
            settings=settings,
            resolved=frozenset(resolved),
            per_input=frozenset(per_input),
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
