"""The two bases of the contract and its shared scalar types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, StrictBool


def _rfc3339(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[AwareDatetime, PlainSerializer(_rfc3339, return_type=str)]
"""RFC 3339 in UTC with milliseconds, on the wire."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hex."""

Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Flag = StrictBool
"""True or false alone: `0`, `"no"` and the like are a client's mistake, as the schema says."""
Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Seed = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""A seed that survives JSON in every language."""


class Request(BaseModel):
    """What a client sends: an unknown field is an error, so that a typing mistake is never ignored."""

    # With any bound on its length, text must be Unicode: half a surrogate pair, which JSON can say, is an error here.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_min_length=0)


class Resource(BaseModel):
    """What the backend answers: clients must tolerate fields that they don't know."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, json_schema_serialization_defaults_required=True)


def now() -> datetime:
    """In milliseconds, as it goes over the wire: what is read back equals what was written."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
