"""Models that people bring: folders of the Hugging Face kind, file by file, taken up again where it stopped."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Count, Request, Resource, Time

MODEL_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


class OfferedFile(Request):
    """A file that the client has."""

    name: str = Field(min_length=1, max_length=255, description="its path below the folder")
    bytes: Count


class UploadSource(Request):
    """The client sends the files, each by `PUT /v1/imports/{import_id}/files/{name}`, then `finish`."""

    kind: Literal["upload"] = "upload"
    files: list[OfferedFile] = Field(min_length=1, max_length=1000, description="all files of the folder")


class FolderSource(Request):
    """A folder on the backend's machine, below one of `AGENT_FORGE_MODEL_ROOTS`: linked where the disk can do that."""

    kind: Literal["folder"] = "folder"
    path: str = Field(min_length=1, max_length=1024, description="absolute, or relative to one of the roots")


class HubSource(Request):
    """A repository on the Hugging Face hub; what its cache on the backend's machine holds is not fetched again."""

    kind: Literal["hub"] = "hub"
    repository: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$", description="owner/name"
    )
    revision: str = Field(
        default="main", pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$", description="branch, tag or commit"
    )


ImportSource = Annotated[UploadSource | FolderSource | HubSource, Field(discriminator="kind")]


class ImportRequest(Request):
    name: str = Field(pattern=MODEL_NAME, description="of the model; the same name again takes up the same import")
    source: ImportSource
    base: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="of an adapter of peft (LoRA): the registered model that it is merged onto, by id or name; null: "
        "what is brought is a model",
    )


class ImportFile(Resource):
    name: str
    bytes: Count
    received: Count
    """Where the next `PUT` of the file begins."""
    left_out: str | None
    """Why it is not taken; null where it is."""


class ImportFault(Resource):
    """As in a problem document."""

    code: str
    detail: str
    hint: str | None


class ModelImport(Resource):
    id: str
    name: str
    status: Literal["receiving", "checking", "succeeded", "failed"]
    source: Literal["upload", "folder", "hub"]
    files: list[ImportFile]
    checked_bytes: Count
    """Read so far, of what was received, to hash and check it."""
    model_id: str | None
    """Of the model that it became."""
    fault: ImportFault | None
    """Why it failed. What was received stays: mend the rest, and ask for the same import again."""
    created_at: Time
