"""float64 to 16 bits in one step, beside NumPy's half and beside the nearest of two neighbours in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
import torch

from agent_forge.evomerge.ops.rounding import round_into

Floats = npt.NDArray[np.float64]


def every(dtype: torch.dtype) -> Floats:
    """All finite numbers of a type, ascending."""
    bits = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16)
    values = bits.view(dtype).to(torch.float64).numpy()
    return np.unique(values[np.isfinite(values)])


def rounded(entries: Floats, dtype: torch.dtype) -> tuple[Floats, bool]:
    out = np.empty(len(entries), np.uint16)
    finite = round_into(out, entries, dtype)
    return torch.from_numpy(out.view(np.int16)).view(dtype).to(torch.float64).numpy(), finite


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_numbers_of_the_type_stay_and_what_lies_between_goes_to_the_nearest(dtype: torch.dtype) -> None:
    numbers = every(dtype)
    assert np.array_equal(rounded(numbers, dtype)[0], numbers)
    low, high = numbers[:-1], numbers[1:]
    middle = low + (high - low) / 2
    assert np.array_equal(rounded(np.nextafter(middle, -np.inf), dtype)[0], low)
    assert np.array_equal(rounded(np.nextafter(middle, np.inf), dtype)[0], high)
    out = np.empty(len(middle), np.uint16)
    round_into(out, middle, dtype)
    assert not (out & 1).any(), "a tie goes to the even one"


def test_half_as_numpy_has_it() -> None:
    draws = np.random.default_rng(0)
    entries = draws.normal(size=1 << 16) * 10.0 ** draws.integers(-9, 6, 1 << 16)
    with np.errstate(over="ignore"):
        expected = entries.astype(np.float16)
    found, finite = rounded(entries, torch.float16)
    assert np.array_equal(found[np.isfinite(expected)], expected[np.isfinite(expected)].astype(float))
    assert not finite
    assert np.isinf(found[np.isinf(expected)]).all()


def test_once_not_by_way_of_float32() -> None:
    # just above the middle of 1 and its successor in bfloat16: float32 rounds to the middle, and that to 1
    entry = 1 + 2.0**-8 + 2.0**-40
    assert torch.tensor(entry, dtype=torch.float64).float().to(torch.bfloat16).item() == 1
    assert rounded(np.array([entry]), torch.bfloat16)[0].item() == 1 + 2.0**-7
    assert abs(Fraction(entry) - Fraction(1 + 2.0**-7)) < abs(Fraction(entry) - 1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("entry", [np.nan, np.inf, -np.inf, 1e300, -3.4e38 * 1.01])
def test_says_what_is_not_finite(dtype: torch.dtype, entry: float) -> None:
    assert not rounded(np.array([0.0, entry, 1.0]), dtype)[1]
    assert rounded(np.array([0.0, -0.0, 1.0]), dtype)[1]
    assert np.signbit(rounded(np.array([-0.0]), dtype)[0]).all()
