"""The types of elements that safetensors 0.8 knows, and which bit patterns are no number."""

from __future__ import annotations

from dataclasses import dataclass

BITS: dict[str, int] = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}
"""Bits of an element, in the library's order of dtypes. Those below 8 fill whole bytes together."""


@dataclass(frozen=True, slots=True)
class NoNumber:
    """NaN and infinity of a type: the patterns of `width` bytes with `bits & mask == value`."""

    width: int
    mask: int
    value: int


def _exponent(width: int, mask: int) -> NoNumber:
    return NoNumber(width, mask, mask)


NO_NUMBERS: dict[str, NoNumber] = {
    "F8_E5M2": _exponent(1, 0x7C),
    # no infinity: the largest exponent is used for numbers, all its bits with all of the mantissa's are NaN
    "F8_E4M3": _exponent(1, 0x7F),
    # a power of two without a sign
    "F8_E8M0": _exponent(1, 0xFF),
    # what would be a negative zero is the only NaN
    "F8_E4M3FNUZ": NoNumber(1, 0xFF, 0x80),
    "F8_E5M2FNUZ": NoNumber(1, 0xFF, 0x80),
    "F16": _exponent(2, 0x7C00),
    "BF16": _exponent(2, 0x7F80),
    "F32": _exponent(4, 0x7F80_0000),
    "C64": _exponent(4, 0x7F80_0000),
    "F64": _exponent(8, 0x7FF0_0000_0000_0000),
}
"""Types that are not here have numbers only: integers, and floats of 4 and 6 bits."""
