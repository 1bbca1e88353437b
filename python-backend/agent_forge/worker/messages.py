"""What a worker tells the API process, one JSON object per line: the only place where such a line is read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ..contract.event import LiveEvent
from ..contract.system import ClusterNode
from .errors import MalformedMessage


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class Ready(_Message):
    kind: Literal["ready"]
    device: str


class Busy(_Message):
    kind: Literal["busy"]
    run_id: str


class Idle(_Message):
    kind: Literal["idle"]


class Heartbeat(_Message):
    kind: Literal["heartbeat"]


class Nodes(_Message):
    """Of the cluster, as this worker sees it now."""

    kind: Literal["nodes"]
    nodes: list[ClusterNode]


class Committed(_Message):
    kind: Literal["committed"]
    seq: int


class Live(BaseModel):
    kind: Literal["live"]
    event: LiveEvent


Message = Ready | Busy | Idle | Heartbeat | Nodes | Committed | Live

_MESSAGE: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def read(line: bytes) -> Message:
    """Raises MalformedMessage."""
    try:
        return _MESSAGE.validate_json(line)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in found["loc"])
        raise MalformedMessage(f"{where or 'line'}: {found['msg']}, in {line[:200]!r}") from None
