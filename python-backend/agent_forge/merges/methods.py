"""mergekit's merge methods and what each parameter means to our ops. One table, read in both directions.

A parameter that ours have no word for is accepted where it says what they do anyway, else refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from .errors import NotExpressible
from .settings import Kind

Values = Mapping[str, Any]
Base = Literal["required", "first", "about", "ignored"]
"""`first`: it is the first of our inputs; `about`: mergekit may merge about a base, which ours do not; `ignored`: a
base is an input as others."""


@dataclass(frozen=True)
class Parameter:
    name: str
    kind: Kind = "number"
    scope: Literal["shared", "input", "non_base"] = "shared"
    default: Any = None
    """None: it must be given."""
    only: Any = None
    """The only value that ours can do."""
    why: str = ""
    """Why no other."""


@dataclass(frozen=True)
class Method:
    """ours: (shared values, values of each input) → our op's parameters, for one tensor. theirs: the way back."""

    name: str
    op: str
    parameters: tuple[Parameter, ...]
    base: Base
    ours: Callable[[Values, Sequence[Values]], dict[str, Any]]
    theirs: Callable[[Values, int], tuple[dict[str, Any], list[dict[str, Any]]]]
    inputs: tuple[int, int | None] = (1, None)
    """Least and most, without a base that is required."""


_INT8 = Parameter("int8_mask", "flag", default=False)
"""Of masks in memory alone: it changes no result."""
_WEIGHT = Parameter("weight", scope="non_base")


def _flag(name: str, only: bool, why: str) -> Parameter:
    return Parameter(name, "flag", default=only, only=only, why=why)


def _weights(inputs: Sequence[Values]) -> list[float]:
    return [float(one["weight"]) for one in inputs]


def _given_weights(parameters: Values, count: int) -> list[float]:
    return list(parameters.get("weights") or [1.0] * count)


def _weighed(parameters: Values, count: int) -> list[dict[str, Any]]:
    return [{"weight": weight} for weight in _given_weights(parameters, count)]


def _none(parameters: Values, count: int) -> list[dict[str, Any]]:
    return [{} for _ in range(count)]


def _each(value: Any, count: int) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] * count


def complement(share: float) -> float:
    """1 − share, as short in decimals as the share: 0.9 gives 0.1, and 0.1 gives 0.9."""
    return float(Decimal(1) - Decimal(repr(share)))


def _drop(name: str, op: str, *, elected: bool, theirs_normalize: bool, epsilon: bool = False) -> Method:
    extra = (Parameter("epsilon", scope="non_base", default=0.15),) if epsilon else ()

    def ours(shared: Values, inputs: Sequence[Values]) -> dict[str, Any]:
        found = _summed(shared, inputs, elected)
        found["drop_rate"] = [complement(one["density"]) for one in inputs]
        return found | ({"epsilon": [one["epsilon"] for one in inputs]} if epsilon else {})

    def theirs(parameters: Values, count: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        shared, inputs = _sum_of(parameters, count, elected)
        for one, rate in zip(inputs, _each(parameters["drop_rate"], count), strict=True):
            one["density"] = complement(rate)
        if epsilon:
            for one, width in zip(inputs, _each(parameters["epsilon"], count), strict=True):
                one["epsilon"] = width
        return shared, inputs

    rescale = _flag("rescale", True, "what is left of a task vector is always rescaled")
    return Method(
        name,
        op,
        (_INT8, Parameter("normalize", "flag", default=theirs_normalize), rescale, *_ABOUT, *extra),
        "required",
        ours,
        theirs,
    )


def _band(name: str, op: str, *, elected: bool, theirs_normalize: bool, gamma: bool = False) -> Method:
    extra = (Parameter("gamma", scope="non_base", default=0.01),) if gamma else ()

    def ours(shared: Values, inputs: Sequence[Values]) -> dict[str, Any]:
        found = _summed(shared, inputs, elected) | {"density": [one["density"] for one in inputs]}
        return found | ({"gamma": [one["gamma"] for one in inputs]} if gamma else {})

    def theirs(parameters: Values, count: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        shared, inputs = _sum_of(parameters, count, elected)
        for key in ("density", "gamma") if gamma else ("density",):
            for one, value in zip(inputs, _each(parameters[key], count), strict=True):
                one[key] = value
        return shared, inputs

    rescale = _flag("rescale", False, "what is left of a task vector is not rescaled")
    return Method(
        name,
        op,
        (_INT8, Parameter("normalize", "flag", default=theirs_normalize), rescale, *_ABOUT, *extra),
        "required",
        ours,
        theirs,
    )


_ABOUT = (Parameter("lambda", default=1.0), _WEIGHT, Parameter("density", scope="non_base", default=1.0))


def _summed(shared: Values, inputs: Sequence[Values], elected: bool) -> dict[str, Any]:
    weights = _weights(inputs)
    if elected:
        return {"weights": weights, "scale": shared["lambda"], "normalize": shared["normalize"]}
    if shared["normalize"]:
        total = math.fsum(weights)
        weights = [weight / total for weight in weights] if abs(total) >= 1e-8 else weights
    return {"weights": weights, "scale": shared["lambda"]}


def _sum_of(parameters: Values, count: int, elected: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    shared = {"lambda": parameters["scale"], "normalize": parameters["normalize"] if elected else False}
    return shared, _weighed(parameters, count)


def _slerp_t(parameters: Values, count: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if count != 2:
        raise NotExpressible(f"slerp of {count} models: mergekit's takes two")
    first, second = _given_weights(parameters, 2)
    total = first + second
    if abs(total) < 1e-8:
        raise NotExpressible("slerp: the weights sum to 0")
    return {"t": second if first == 1 - second else second / total}, [{}, {}]


def _even(parameters: Values, count: int) -> list[dict[str, Any]]:
    if len(set(_given_weights(parameters, count))) > 1:
        raise NotExpressible("karcher with weights: mergekit's has none")
    return _none(parameters, count)


def _plain_scale(parameters: Values, name: str) -> None:
    if parameters["scale"] != 1:
        raise NotExpressible(f"{name} with λ {parameters['scale']:g}: mergekit's has none")


def _renamed(
    name: str, op: str, base: Base, names: Mapping[str, Parameter], most: int | None, *, scaled: bool
) -> Method:
    """Shared parameters under other names. names: ours → theirs. scaled: ours has a λ, which theirs lacks."""

    def ours(shared: Values, inputs: Sequence[Values]) -> dict[str, Any]:
        return {our: shared[their.name] for our, their in names.items()} | ({"scale": 1.0} if scaled else {})

    def theirs(parameters: Values, count: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        if scaled:
            _plain_scale(parameters, name)
        return {their.name: parameters[our] for our, their in names.items()}, _none(parameters, count)

    return Method(name, op, tuple(names.values()), base, ours, theirs, (1, most))


def _with(method: Method, *more: Parameter, inputs: tuple[int, int | None] | None = None) -> Method:
    return Method(
        method.name,
        method.op,
        (*method.parameters, *more),
        method.base,
        method.ours,
        method.theirs,
        inputs or method.inputs,
    )


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "linear",
            "linear",
            (Parameter("weight", scope="input"), _flag("normalize", True, "weights are divided by their sum")),
            "ignored",
            lambda shared, inputs: {"weights": _weights(inputs)},
            lambda parameters, count: ({}, _weighed(parameters, count)),
        ),
        Method(
            "slerp",
            "slerp",
            (Parameter("t"),),
            "first",
            lambda shared, inputs: {"weights": [1 - shared["t"], shared["t"]]},
            _slerp_t,
            (1, 1),
        ),
        Method(
            "nuslerp",
            "nuslerp",
            (
                _WEIGHT,
                _flag("nuslerp_flatten", True, "whole tensors are turned, not their rows"),
                Parameter("nuslerp_row_wise", "flag", default=False),
            ),
            "about",
            lambda shared, inputs: {"weights": _weights(inputs)},
            lambda parameters, count: ({}, _weighed(parameters, count)),
            (2, 2),
        ),
        Method(
            "multislerp",
            "multislerp",
            (
                _WEIGHT,
                _flag("normalize_weights", True, "weights are divided by their sum"),
                Parameter("eps", default=1e-8, only=1e-8, why="the smallest norm that has a direction is 1e-8"),
            ),
            "about",
            lambda shared, inputs: {"weights": _weights(inputs)},
            lambda parameters, count: ({}, _weighed(parameters, count)),
        ),
        Method(
            "karcher",
            "karcher",
            (Parameter("max_iter", "whole", default=10), Parameter("tol", default=1e-5)),
            "ignored",
            lambda shared, inputs: {
                "weights": [1.0] * len(inputs),
                "iterations": shared["max_iter"],
                "tolerance": shared["tol"],
            },
            lambda parameters, count: (
                {"max_iter": parameters["iterations"], "tol": parameters["tolerance"]},
                _even(parameters, count),
            ),
        ),
        Method(
            "task_arithmetic",
            "task_arithmetic",
            (
                _INT8,
                Parameter("normalize", "flag", default=False),
                _flag("rescale", False, "nothing is left out of a task vector"),
                Parameter("lambda", default=1.0),
                _WEIGHT,
                Parameter(
                    "density", scope="non_base", default=1.0, only=1.0, why="every entry of a task vector is kept"
                ),
            ),
            "required",
            lambda shared, inputs: _summed(shared, inputs, elected=False),
            lambda parameters, count: _sum_of(parameters, count, elected=False),
        ),
        _band("ties", "ties", elected=True, theirs_normalize=True),
        _band("breadcrumbs", "breadcrumbs", elected=False, theirs_normalize=False, gamma=True),
        _band("breadcrumbs_ties", "breadcrumbs_ties", elected=True, theirs_normalize=False, gamma=True),
        _drop("dare_linear", "dare_linear", elected=False, theirs_normalize=False),
        _drop("dare_ties", "dare_ties", elected=True, theirs_normalize=False),
        _drop("della_linear", "della_linear", elected=False, theirs_normalize=False, epsilon=True),
        _drop("della", "della", elected=True, theirs_normalize=True, epsilon=True),
        _with(
            _renamed("model_stock", "model_stock", "required", {}, None, scaled=False),
            _flag("filter_wise", False, "the angle is that of whole tensors"),
            inputs=(2, None),
        ),
        _with(
            _renamed("sce", "sce", "required", {"selected": Parameter("select_topk", default=1.0)}, None, scaled=True),
            _INT8,
        ),
        _renamed("nearswap", "nearswap", "required", {"t": Parameter("t")}, 1, scaled=False),
        _renamed("arcee_fusion", "arcee_fusion", "required", {}, 1, scaled=False),
        _renamed("ram", "ram", "required", {"epsilon": Parameter("epsilon", default=1e-5)}, None, scaled=True),
        _renamed(
            "ramplus_tl",
            "ram_plus",
            "required",
            {
                "r": Parameter("r", default=0.1),
                "alpha": Parameter("alpha", default=0.2),
                "epsilon": Parameter("epsilon", default=1e-5),
            },
            None,
            scaled=True,
        ),
    )
}
BY_OP = {method.op: method for method in METHODS.values()}
PASSTHROUGH = "passthrough"
SCALE = Parameter("scale", scope="non_base", default=1.0)
"""Its only parameter: our op `scale`."""
MOST_SCALE = 1000.0
