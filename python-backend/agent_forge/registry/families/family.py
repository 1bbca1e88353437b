"""What the tensors of a family are called, from one data file each (`<family>.json` beside this file).

`layers`: what stands before the number of a decoder layer; several where checkpoints of one family differ.
`inside`, `outside`: name of a module, after that number or as it is → its role. `buffers`: ends of names of what is
computed, not learnt, though a file may hold it. `extends`: the family whose names these are added to.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

HERE = Path(__file__).parent


class Role(StrEnum):
    """What a tensor is for."""

    embedding = "embedding"
    position = "position"
    norm = "norm"
    query = "query"
    key = "key"
    value = "value"
    qkv = "qkv"
    """Query, key and value in one matrix."""
    attention_output = "attention_output"
    gate = "gate"
    up = "up"
    gate_up = "gate_up"
    """Gate and up in one matrix."""
    down = "down"
    router = "router"
    head = "head"
    other = "other"


class Family(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    """Of the file."""
    extends: str | None = None
    model_types: tuple[str, ...]
    """As `config.json` names them."""
    layers: tuple[str, ...] = ()
    inside: dict[str, Role] = {}
    outside: dict[str, Role] = {}
    buffers: tuple[str, ...] = ()

    def with_those_of(self, other: Family) -> Family:
        """The names of `other`, and one's own, which win."""
        return self.model_copy(
            update={
                "layers": self.layers or other.layers,
                "inside": other.inside | self.inside,
                "outside": other.outside | self.outside,
                "buffers": (*other.buffers, *self.buffers),
            }
        )


@cache
def families() -> dict[str, Family]:
    """All families by name, what they extend filled in; those that others extend come first."""
    read = [_read(path) for path in sorted(HERE.glob("*.json"))]
    known: dict[str, Family] = {family.name: family for family in read if family.extends is None}
    waiting = [family for family in read if family.extends is not None]
    while waiting:
        ready = [family for family in waiting if family.extends in known]
        if not ready:
            raise ValueError(f"{waiting[0].name}.json extends {waiting[0].extends}, which is no family")
        known |= {family.name: family.with_those_of(known[family.extends or ""]) for family in ready}
        waiting = [family for family in waiting if family.name not in known]
    return known


@cache
def by_model_type() -> dict[str, Family]:
    return {model_type: family for family in families().values() for model_type in family.model_types}


def _read(path: Path) -> Family:
    return Family.model_validate_json(path.read_bytes()).model_copy(update={"name": path.stem})
