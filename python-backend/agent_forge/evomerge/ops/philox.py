"""Philox4x32-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3) inside kernels.

A stream has four words of 32 bits for each counter. They are numbered in groups of `GROUP`: number 64·j + i of group g
is word j of counter 64·g + i, so that neighbours are computed by the same vector instructions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .compiled import kernel

Words = npt.NDArray[np.uint32]
_Word = np.uint64
"""Holds 32 bits: products of two fit."""

COUNTERS = 64
GROUP = 4 * COUNTERS
"""Words."""

_M0, _M1 = _Word(0xD2511F53), _Word(0xCD9E8D57)
_W0, _W1 = _Word(0x9E3779B9), _Word(0xBB67AE85)
_LOW, _HALF = _Word(0xFFFFFFFF), _Word(32)


@kernel
def fill_group(out: Words, key: Words, number: int) -> None:
    """The words of a group, (GROUP,). key: (2,)."""
    first, k0, k1 = _Word(number * COUNTERS), _Word(key[0]), _Word(key[1])
    for i in range(COUNTERS):
        a, b, c, d = _ten_rounds(first + _Word(i), k0, k1)
        out[i], out[COUNTERS + i], out[2 * COUNTERS + i], out[3 * COUNTERS + i] = a, b, c, d


@kernel
def fill_first(out: Words, key: Words, counters: npt.NDArray[np.int64]) -> None:
    """The first word of each of these counters."""
    k0, k1 = _Word(key[0]), _Word(key[1])
    for i in range(len(out)):
        out[i] = _ten_rounds(_Word(counters[i]), k0, k1)[0]


@kernel
def _ten_rounds(counter: _Word, k0: _Word, k1: _Word) -> tuple[_Word, _Word, _Word, _Word]:
    # a loop here would keep the callers' from becoming vector instructions
    a, b, c, d = counter & _LOW, counter >> _HALF, _Word(0), _Word(0)
    a, b, c, d = _two_rounds(a, b, c, d, k0, k1)
    a, b, c, d = _two_rounds(a, b, c, d, k0 + _Word(2) * _W0, k1 + _Word(2) * _W1)
    a, b, c, d = _two_rounds(a, b, c, d, k0 + _Word(4) * _W0, k1 + _Word(4) * _W1)
    a, b, c, d = _two_rounds(a, b, c, d, k0 + _Word(6) * _W0, k1 + _Word(6) * _W1)
    return _two_rounds(a, b, c, d, k0 + _Word(8) * _W0, k1 + _Word(8) * _W1)


@kernel
def _two_rounds(a: _Word, b: _Word, c: _Word, d: _Word, k0: _Word, k1: _Word) -> tuple[_Word, _Word, _Word, _Word]:
    a, b, c, d = _round(a, b, c, d, k0 & _LOW, k1 & _LOW)
    return _round(a, b, c, d, (k0 + _W0) & _LOW, (k1 + _W1) & _LOW)


@kernel
def _round(a: _Word, b: _Word, c: _Word, d: _Word, k0: _Word, k1: _Word) -> tuple[_Word, _Word, _Word, _Word]:
    # masked, so that the compiler sees 32 bits times 32 bits
    first, second = (a & _LOW) * _M0, (c & _LOW) * _M1
    return (second >> _HALF) ^ b ^ k0, second & _LOW, (first >> _HALF) ^ d ^ k1, first & _LOW
