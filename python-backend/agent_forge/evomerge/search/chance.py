"""Random numbers of evolution: each use has a generator of its own, keyed by what it is for."""

from __future__ import annotations

import hashlib

import numpy as np


def chance(seed: int, generation: int, slot: int, purpose: str) -> np.random.Generator:
    key = hashlib.sha256(f"{seed}\x1f{generation}\x1f{slot}\x1f{purpose}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(key[:16], dtype="<u8").astype(np.uint64)))


def derived_seed(seed: int, generation: int, slot: int, purpose: str) -> int:
    """A seed for a recipe's node."""
    return int(chance(seed, generation, slot, purpose).integers(0, 2**53))
