"""What this machine can do: measured once, in a worker, in under two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from ..contract.base import now
from ..contract.system import Calibration

_SIDE = 1024
_COPY_BYTES = 128 * 1024**2


def calibrate() -> Calibration:
    """Float32 matrix product (1024³) and copy bandwidth (bytes read and written).

    The fastest of several turns: other work on the machine meanwhile must not lower its recorded speed permanently.
    """
    a = torch.ones(_SIDE, _SIDE)
    source = torch.ones(_COPY_BYTES // 4)
    target = torch.empty_like(source)
    product = [_seconds(lambda: torch.mm(a, a)) for _ in range(24)]
    copy = [_seconds(lambda: target.copy_(source)) for _ in range(8)]
    return Calibration(
        matmul_gflops=2 * _SIDE**3 / min(product) / 1e9,
        bandwidth_gbytes=2 * _COPY_BYTES / min(copy) / 1e9,
        measured_at=now(),
    )


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
