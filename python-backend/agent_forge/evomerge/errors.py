"""Why a merge is refused. Each reason has its own class and a stable code."""

from __future__ import annotations


class MergeRefused(ValueError):  # noqa: N818 - the subclasses name the reason
    """The merge was not made; no output exists."""

    code = "merge_refused"


class NonFinite(MergeRefused):
    """A tensor holds NaN or an infinity."""

    code = "non_finite"


class ShapesDiffer(MergeRefused):
    """The inputs' tensors differ in name, shape or dtype."""

    code = "shapes_differ"


class UnsupportedDtype(MergeRefused):
    """A tensor is not of a real floating-point type."""

    code = "unsupported_dtype"


class WrongInputs(MergeRefused):
    """Too few or too many models, or a base or calibration that is missing."""

    code = "wrong_inputs"


class BadParameter(MergeRefused):
    """A parameter is unknown, out of range, or meaningless for these inputs."""

    code = "bad_parameter"


class UnknownOp(MergeRefused):
    code = "unknown_op"


class ParentNotMeasurable(MergeRefused):
    """A parent has no scores: nothing can be compared with it, and what is bred from it seldom has any."""

    code = "parent_not_measurable"
    hint = "Leave this model out, or choose another one: predict shows what it computes."


class NoChampion(MergeRefused):
    """Not one candidate could be merged and measured."""

    code = "no_champion"
    hint = "The candidates' faults say why. Choose parents whose weights lie closer to each other."


class LeafChanged(MergeRefused):
    """A leaf's tensors are not those that the recipe pins by digest."""

    code = "leaf_changed"


class OtherSearch(MergeRefused):
    """A resumed search asks for candidates other than those recorded."""

    code = "other_search"
