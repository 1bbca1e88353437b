"""Models that all children of a run read: put into the object store once, or mapped from a directory that all share."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray

from ..errors import OtherNode
from ..executor import SharedModel

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Placed:
    """Where a node finds a model."""

    digest: str
    file: Path | None
    reference: Any
    """Of its bytes in the object store; None where every node can read the file."""


def place(model: SharedModel, *, files_shared: bool) -> Placed:
    """files_shared: every node sees the files of this machine under the same path."""
    import numpy as np

    from ...registry.tensors import bytes_of, spec_of

    if files_shared and model.file is not None:
        return Placed(model.digest, model.file, None)
    arrays = {
        name: (spec_of(tensor).dtype, tuple(tensor.shape), np.frombuffer(bytes_of(tensor), np.uint8))
        for name, tensor in model.tensors.items()
    }
    return Placed(model.digest, model.file, ray.put(arrays))


def tensors_of(placed: Placed) -> Mapping[str, Tensor]:
    """Views on the file or on the object store's memory, which must not be written to. Raises OtherNode."""
    from ...registry.tensors import digest_tensors, load_tensors

    if placed.file is not None and placed.file.is_file():
        mapped = load_tensors(placed.file)
        if digest_tensors(mapped) == placed.digest:
            return mapped
        if placed.reference is None:
            raise OtherNode(f"{placed.file} holds other tensors on this node: expected digest {placed.digest}")
    if placed.reference is None:
        raise OtherNode(f"{placed.file} is not on this node: mount the models directory there under the same path")
    return {name: _view(*stored) for name, stored in ray.get(placed.reference).items()}


def _view(dtype: str, shape: tuple[int, ...], stored: Any) -> Tensor:
    import torch

    from ...registry.tensors import TORCH_DTYPES

    if stored.size == 0:
        return torch.empty(shape, dtype=TORCH_DTYPES[dtype])
    with warnings.catch_warnings():
        # shared memory is read-only, and nothing writes to it
        warnings.filterwarnings("ignore", message="The given (NumPy array|buffer) is not writable")
        return torch.frombuffer(stored, dtype=TORCH_DTYPES[dtype]).view(shape)
