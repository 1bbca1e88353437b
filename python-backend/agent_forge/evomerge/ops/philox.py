"""Philox4x64-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3) inside kernels.

Words are numbered: number w is that of `np.random.Philox(key=key).random_raw()` after w others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .compiled import kernel

Words = npt.NDArray[np.uint64]
_Word = np.uint64

_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_ROUNDS = 10


if TYPE_CHECKING:

    def _product(a: _Word, b: _Word) -> tuple[_Word, _Word]: ...

else:

    @intrinsic
    def _product(typing, a, b):
        """(upper, lower) 64 bits of the product of two uint64: one instruction, where two products would be two."""
        pair = types.UniTuple(types.uint64, 2)

        def code(context, builder, signature, values):
            wide = [builder.zext(value, ir.IntType(128)) for value in values]
            product = builder.mul(*wide)
            upper = builder.lshr(product, ir.Constant(ir.IntType(128), 64))
            halves = [builder.trunc(half, ir.IntType(64)) for half in (upper, product)]
            return context.make_tuple(builder, pair, halves)

        return pair(types.uint64, types.uint64), code


@kernel
def words(out: Words, key: Words, first: int) -> None:
    """Fill with the words from number `first` on, which is a multiple of 4; len(out) is a multiple of 8."""
    nothing = np.uint64(0)
    for at in range(0, len(out), 8):
        # numpy counts on before it draws
        a, b, c, d = np.uint64((first + at) // 4 + 1), nothing, nothing, nothing
        # two at a time: one's products fill the other's waits
        e, f, g, h = a + np.uint64(1), nothing, nothing, nothing
        k0, k1 = key[0], key[1]
        for _ in range(_ROUNDS):
            a, b, c, d = _round(a, b, c, d, k0, k1)
            e, f, g, h = _round(e, f, g, h, k0, k1)
            k0, k1 = k0 + _W0, k1 + _W1
        out[at], out[at + 1], out[at + 2], out[at + 3] = a, b, c, d
        out[at + 4], out[at + 5], out[at + 6], out[at + 7] = e, f, g, h


@kernel
def _round(a: _Word, b: _Word, c: _Word, d: _Word, k0: _Word, k1: _Word) -> tuple[_Word, _Word, _Word, _Word]:
    upper0, lower0 = _product(_M0, a)
    upper1, lower1 = _product(_M1, c)
    return upper1 ^ b ^ k0, lower1, upper0 ^ d ^ k1, lower0
