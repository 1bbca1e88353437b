"""Matrix products whose bytes are the same on every machine and for any number of threads.

Ozaki et al. 2012, Error-free transformations of matrix multiplication by using fast routines of matrix
multiplication, Numerical Algorithms 59: each factor is split into slices of whole numbers so short that the products
of slices have no rounding, in whatever order a fast routine sums them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

Matrix = npt.NDArray[np.float64]

_EXACT_BITS = 53
"""Whole numbers up to 2⁵³ are float64."""


def product(a: Matrix, b: Matrix) -> Matrix:
    """a·b, shapes (n, k) and (k, m), to about 2⁻⁴⁰ of the product of a row's and a column's largest entries.

    Two slices of each factor, of which the product of the two lower ones is left out. Entries have to be finite.
    """
    bits = (_EXACT_BITS - int(a.shape[1] - 1).bit_length()) // 2
    rows, columns = _exponents(a, 1), _exponents(b, 0)
    a_high, a_low = _slices(a, bits - rows, bits)
    b_high, b_low = _slices(b, bits - columns, bits)
    high = _whole(a_high, b_high)
    low = _whole(a_high, b_low) + _whole(a_low, b_high)
    shift = rows + columns - 2 * bits
    made: Matrix = np.ldexp(high, shift) + np.ldexp(low, shift - bits)
    return made


def _exponents(matrix: Matrix, axis: int) -> npt.NDArray[np.int32]:
    """e of each row or column whose entries lie below 2ᵉ."""
    found: npt.NDArray[np.int32] = np.frexp(np.abs(matrix).max(axis=axis, keepdims=True))[1]
    return found


def _slices(matrix: Matrix, shift: npt.NDArray[np.int32], bits: int) -> tuple[Matrix, Matrix]:
    """Whole numbers of size 2^bits at most: high + low·2^−bits is the matrix times 2^shift, but for its last bits."""
    scaled = np.ldexp(matrix, shift)
    high = np.rint(scaled)
    return high, np.rint(np.ldexp(scaled - high, bits))


def _whole(a: Matrix, b: Matrix) -> Matrix:
    """Of whole numbers, and so exact."""
    made: Matrix = torch.mm(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    return made
