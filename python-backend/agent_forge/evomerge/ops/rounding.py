"""Between types of 16 bits and wider ones. Rounded once: to nearest, ties to even (IEEE 754), never by way of float32,
whose own rounding would decide some of the ties."""

from __future__ import annotations

import numpy as np
import torch

from .compiled import Array, Floats, kernel

FORMATS = {torch.bfloat16: (7, 127), torch.float16: (10, 15)}
"""Types of 16 bits: (bits of the mantissa, bias of the exponent)."""


def round_into(out: Array, entries: Floats, dtype: torch.dtype) -> bool:
    """Write entries, (n,), as the bits of a 16-bit type into out, (n,) uint16. False where one is not finite then."""
    mantissa, bias = FORMATS[dtype]
    return bool(_rounded(out, entries, mantissa, bias))


def widen_into(out: Array, entries: Array, dtype: torch.dtype) -> None:
    """Write the numbers whose bits entries hold, (n,) uint16, into out, (n,) float32 or float64. Exact where finite."""
    wide = out if out.dtype == np.float32 else np.empty(len(out), np.float32)
    if dtype == torch.bfloat16:
        _from_bfloat16(wide.view(np.uint32), entries)
    else:
        _from_float16(wide.view(np.uint32), wide, entries)
    if wide is not out:
        out[:] = wide


@kernel
def _from_bfloat16(out: Array, entries: Array) -> None:
    for i in range(len(out)):
        out[i] = np.uint32(entries[i]) << np.uint32(16)


@kernel
def _from_float16(bits: Array, out: Array, entries: Array) -> None:
    """bits: of `out`. As float32 the exponent's bits mean 2⁻¹¹² of what they meant."""
    for i in range(len(out)):
        entry = np.uint32(entries[i])
        bits[i] = (entry & np.uint32(0x7FFF)) << np.uint32(13) | (entry & np.uint32(0x8000)) << np.uint32(16)
    for i in range(len(out)):
        out[i] = out[i] * np.float32(2.0**112)


@kernel
def _rounded(out: Array, entries: Floats, mantissa: int, bias: int) -> bool:
    bits, shift = entries.view(np.uint64), np.uint64(52 - mantissa)
    # of the last bit that stays: half, less what makes a tie go to the even one
    half = (np.uint64(1) << (shift - np.uint64(1))) - np.uint64(1)
    offset = np.uint64(1023 - bias) << np.uint64(mantissa)
    infinity = np.uint64(2 * bias + 1) << np.uint64(mantissa)
    # below, numbers are whole multiples of the smallest
    least = 2.0 ** (1 - bias)
    multiples = 2.0 ** (bias - 1 + mantissa)
    largest = np.uint64(0)
    for i in range(len(out)):
        size = bits[i] & np.uint64(0x7FFFFFFFFFFFFFFF)
        normal = ((size + half + ((size >> shift) & np.uint64(1))) >> shift) - offset
        small = np.uint64(np.int32(np.rint(min(abs(entries[i]), least) * multiples)))
        rounded = normal if abs(entries[i]) >= least else small
        # NaN is not below anything
        rounded = infinity if not abs(entries[i]) < np.inf else rounded
        largest = max(largest, rounded)
        out[i] = np.uint16(min(rounded, infinity) | ((bits[i] >> np.uint64(48)) & np.uint64(0x8000)))
    return bool(largest < infinity)
