"""Merge configurations that are tried beside mergekit, over folders `base`, `a`, `b` and `c`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

THREE = "models: [{model: a, parameters: {weight: 0.4771}}, {model: b, parameters: {weight: 0.3013}}, \
{model: c, parameters: {weight: 0.2216}}]\n"
WEIGHTS = [0.4771, 0.3013, 0.2216]
PLAIN = "models: [{model: a}, {model: b}, {model: c}]\n"
ABOUT = "base_model: base\n"


@dataclass(frozen=True)
class Tried:
    """text: without types. settings: of our op, where what differs by definition is worked out from the inputs `a`,
    `b` and `c`, or as many of them. undropped: the same merge without dropping, of a random one. theirs: what mergekit
    is given in place of the text. shown_by: the configuration that shows why they differ."""

    text: str
    settings: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ("a", "b", "c")
    undropped: str | None = None
    theirs: str | None = None
    shown_by: str | None = None


def _about(method: str, parameters: str) -> str:
    return f"merge_method: {method}\n{ABOUT}{THREE}parameters: {{{parameters}}}\n"


def _random(method: str) -> Tried:
    return Tried(_about(method, "density: 0.5"), undropped=_about(method, "density: 1.0"))


_SLICES = """slices:
  - sources: [{model: a, layer_range: [0, 2]}, {model: b, layer_range: [0, 2]}]
  - sources: [{model: b, layer_range: [1, 3]}, {model: c, layer_range: [0, 2]}]
"""
TRIED = {
    "linear": Tried(f"merge_method: linear\n{THREE}"),
    "linear, weights 0.5, 0.3, 0.2": Tried(
        "merge_method: linear\nmodels: [{model: a, parameters: {weight: 0.5}}, {model: b, parameters: {weight: 0.3}}, "
        "{model: c, parameters: {weight: 0.2}}]\n"
    ),
    "slerp": Tried("merge_method: slerp\nbase_model: a\nmodels: [{model: a}, {model: b}]\nparameters: {t: 0.4}\n"),
    "nuslerp": Tried(
        "merge_method: nuslerp\n"
        "models: [{model: a, parameters: {weight: 0.6}}, {model: b, parameters: {weight: 0.4}}]\n"
    ),
    "multislerp": Tried(f"merge_method: multislerp\n{THREE}", shown_by="multislerp, mergekit with ε 1e−30"),
    "multislerp, mergekit with ε 1e−30": Tried(
        f"merge_method: multislerp\n{THREE}", theirs=f"merge_method: multislerp\n{THREE}parameters: {{eps: 1.0e-30}}\n"
    ),
    "karcher": Tried(f"merge_method: karcher\n{PLAIN}parameters: {{max_iter: 20}}\n"),
    "task_arithmetic": Tried(_about("task_arithmetic", "lambda: 0.8")),
    "ties": Tried(_about("ties", "density: 0.3"), {"density": 0.3, "weights": WEIGHTS}),
    "ties, density 1": Tried(_about("ties", "density: 1.0"), {"density": 1.0, "weights": WEIGHTS}),
    "breadcrumbs": Tried(_about("breadcrumbs", "density: 0.5, gamma: 0.05"), {"density": 0.5, "gamma": 0.05}),
    "breadcrumbs_ties": Tried(
        _about("breadcrumbs_ties", "density: 0.5, gamma: 0.05"),
        {"density": 0.5, "gamma": 0.05, "weights": WEIGHTS},
    ),
    "dare_linear": _random("dare_linear"),
    "dare_ties": _random("dare_ties"),
    "della_linear": _random("della_linear"),
    "della": _random("della"),
    "dare_linear, density 1": Tried(_about("dare_linear", "density: 1.0")),
    "dare_ties, density 1": Tried(_about("dare_ties", "density: 1.0"), {"density": 1.0, "weights": WEIGHTS}),
    "della_linear, density 1": Tried(_about("della_linear", "density: 1.0")),
    "della, density 1": Tried(_about("della", "density: 1.0"), {"density": 1.0, "weights": WEIGHTS}),
    "model_stock": Tried(f"merge_method: model_stock\n{ABOUT}{PLAIN}", {"weights": [1.0, 1.0, 1.0]}),
    "sce": Tried(f"merge_method: sce\n{ABOUT}{PLAIN}parameters: {{select_topk: 0.3}}\n", {"selected": 0.3}),
    "nearswap": Tried(f"merge_method: nearswap\n{ABOUT}models: [{{model: a}}]\nparameters: {{t: 0.001}}\n"),
    "arcee_fusion": Tried(
        f"merge_method: arcee_fusion\n{ABOUT}models: [{{model: a}}]\n", {"importance": True}, inputs=("a",)
    ),
    "ram": Tried(f"merge_method: ram\n{ABOUT}{PLAIN}parameters: {{epsilon: 0.002}}\n"),
    "ramplus_tl": Tried(
        f"merge_method: ramplus_tl\n{ABOUT}{PLAIN}parameters: {{epsilon: 0.002, r: 0.3, alpha: 2.0}}\n",
        {"epsilon": 0.002, "r": 0.3, "alpha": 2.0},
    ),
    "passthrough": Tried(
        "merge_method: passthrough\nslices:\n  - sources: [{model: a, layer_range: [0, 2]}]\n"
        "  - sources: [{model: b, layer_range: [1, 3]}]\n"
    ),
    "gradients and filters": Tried(
        "merge_method: slerp\nbase_model: a\nmodels: [{model: a}, {model: b}]\nparameters:\n  t:\n"
        "    - {filter: self_attn, value: [0, 0.5, 0.3, 1]}\n    - {filter: mlp, value: [1, 0.5, 0.7, 0]}\n"
        "    - value: 0.5\n"
    ),
    "gradients of weights and λ": Tried(
        f"merge_method: task_arithmetic\n{ABOUT}models:\n  - {{model: a, parameters: {{weight: [0.2, 0.9]}}}}\n"
        "  - {model: b, parameters: {weight: [{filter: mlp, value: 0.7}, {value: 0.4}]}}\n"
        "parameters: {lambda: 0.9}\n"
    ),
    "slices": Tried(f"merge_method: linear\n{_SLICES}parameters: {{weight: [0.2, 0.7]}}\n"),
    "pipeline": Tried(
        "name: first\nmerge_method: linear\nmodels: [{model: a}, {model: b}]\nparameters: {weight: 1}\n---\n"
        "merge_method: slerp\nbase_model: first\nmodels: [{model: first}, {model: c}]\nparameters: {t: 0.3}\n"
    ),
}
