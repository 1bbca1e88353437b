"""Types of numbers that are merged, as configurations name them."""

from __future__ import annotations

from collections.abc import Iterable

_FORMATS = {"float16": (5, 10), "bfloat16": (8, 7), "float32": (8, 23), "float64": (11, 52)}
"""Bits of exponent and mantissa."""


def narrows(dtype: str, target: str) -> bool:
    """Whether there are numbers of `dtype` that `target` has not."""
    (exponent, mantissa), (into_exponent, into_mantissa) = _FORMATS[dtype], _FORMATS[target]
    return exponent > into_exponent or mantissa > into_mantissa


def input_casts(dtype: str, asked: str | None, out: str | None) -> list[str]:
    """What an input is cast to before it is merged. asked, out: the configuration's `dtype` and `out_dtype`.

    `dtype` rounds what is wider. What is narrower is widened only where the result is to be wider: arithmetic is in
    float64 anyway.
    """
    found = []
    if asked is not None and narrows(dtype, asked):
        found.append(asked)
        dtype = asked
    wanted = out or asked
    if wanted is not None and combined_dtype([dtype, wanted]) == wanted != dtype:
        found.append(wanted)
    return found


def combined_dtype(dtypes: Iterable[str]) -> str:
    """The narrowest type that has the numbers of them all."""
    found = set(dtypes)
    return next(one for one in _FORMATS if not any(narrows(dtype, one) for dtype in found))
