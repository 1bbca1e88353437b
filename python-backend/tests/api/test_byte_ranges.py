"""The Range header of RFC 9110, 14.1.2 and 14.2, as a table; that the table holds over HTTP is a test of downloads."""

from __future__ import annotations

import pytest
from starlette.responses import FileResponse, RangeNotSatisfiable

from agent_forge.api.byte_ranges import satisfiable

SIZE = 100
BEYOND = f"bytes={SIZE}-{SIZE}"
CASES = [
    ("one range", "bytes=0-9", "bytes=0-9"),
    ("one byte", "bytes=5-5", "bytes=5-5"),
    ("the last byte", "bytes=99-99", "bytes=99-99"),
    ("open", "bytes=90-", "bytes=90-99"),
    ("ends beyond", "bytes=90-1000", "bytes=90-99"),
    ("suffix", "bytes=-7", "bytes=93-99"),
    ("suffix of more than all", "bytes=-1000", "bytes=0-99"),
    ("unit in capitals", "Bytes=0-9", "bytes=0-9"),
    ("several", "bytes=0-1,4-5, -2", "bytes=0-1,4-5,98-99"),
    ("spaces and tabs between", "bytes=0-1 ,\t4-5", "bytes=0-1,4-5"),
    ("empty elements", "bytes=,0-1,,4-5,", "bytes=0-1,4-5"),
    ("one of several beyond", "bytes=0-1,500-", "bytes=0-1"),
    ("leading zeros", "bytes=00-0009", "bytes=0-9"),
    ("many digits", f"bytes=0-{'9' * 5000}", "bytes=0-99"),
    ("suffix of many digits", f"bytes=-{'9' * 5000}", "bytes=0-99"),
    ("beyond", "bytes=100-", BEYOND),
    ("beyond, of many digits", f"bytes={'9' * 5000}-", BEYOND),
    ("suffix of nothing", "bytes=-0", BEYOND),
    ("all beyond", "bytes=100-,200-300", BEYOND),
    ("another unit", "items=0-1", None),
    ("no unit", "0-1", None),
    ("letters", "bytes=abc", None),
    ("last before first", "bytes=5-2", None),
    ("last before first, beyond", "bytes=500-200", None),
    ("one of several is invalid", "bytes=0-1,5-2", None),
    ("one of several is letters", "bytes=0-1,x", None),
    ("a dash", "bytes=-", None),
    ("nothing", "bytes=", None),
    ("commas alone", "bytes=,,", None),
    ("empty", "", None),
    ("spaces within", "bytes=0 - 1", None),
    ("spaces around the unit", "bytes =0-1", None),
    ("signs", "bytes=+1-5", None),
    ("underscores", "bytes=1_0-20", None),
    ("digits of another script", "bytes=٠-٩", None),
    ("three numbers", "bytes=1-2-3", None),
    ("negative end", "bytes=1--3", None),
    ("hexadecimal", "bytes=0x0-0x9", None),
]


@pytest.mark.parametrize(("header", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_ranges(header: str, expected: str | None) -> None:
    assert satisfiable(header, SIZE) == expected


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-5", "bytes=0-0"])
def test_an_empty_file_has_no_ranges(header: str) -> None:
    assert satisfiable(header, 0) == "bytes=0-0"


@pytest.mark.parametrize("size", [0, 1, SIZE])
@pytest.mark.parametrize("header", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_the_server_understands_what_is_left(header: str, size: int) -> None:
    """Starlette answers 206 or 416 to it, never 400."""
    left = satisfiable(header, size)
    if left is None:
        return
    if left == f"bytes={size}-{size}":
        with pytest.raises(RangeNotSatisfiable):
            FileResponse._parse_range_header(left, size)
    else:
        ranges = FileResponse._parse_range_header(left, size)
        assert all(0 <= start < end <= size for start, end in ranges)
