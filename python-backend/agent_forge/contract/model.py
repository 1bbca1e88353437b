"""Registered models: what the registry knows of a file, and how it is proved."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from .architecture import Architecture, ModuleParameters
from .base import Count, Digest, Flag, Request, Resource, Time
from .cognate import Specialization
from .recipe import Origin


class ModelKind(StrEnum):
    foundation = "foundation"
    specialist = "specialist"
    merged = "merged"
    imported = "imported"


class ModelFile(Resource):
    format: Literal["safetensors", "pt", "json", "text", "sentencepiece"]
    path: str
    """Relative to the models directory; for people. Programs download by id."""
    bytes: Count
    file_sha256: Digest


class Tokenizer(Resource):
    """What the tokenizer files of a causal LM hold, as the tokenizers library reads them."""

    kind: str
    """BPE, Unigram, WordPiece or WordLevel; `sentencepiece` where there is a `tokenizer.model` alone."""
    tokens: Count | None
    """With the added ones; null where it was not read."""
    vocabulary: Digest | None = None
    """SHA-256 of its tokens by id: rows of an embedding mean the same where this is the same, also after the file was
    written anew. Null where it was not read."""
    sha256: Digest
    """Of the file that defines it: models with the same one read text alike."""
    chat_template: bool


class Model(Resource):
    id: str
    name: str
    kind: ModelKind
    run_id: str | None
    specialization: Specialization | None
    architecture: Architecture | None
    """Null for an imported model of an unknown shape."""
    parameters: Count
    """Entries that were learnt: integers, bits and what is computed are carried along, not counted."""
    bytes: Count
    """Size of the safetensors files."""
    digest: Digest
    """SHA-256 over sorted (name, dtype, shape, SHA-256 of the little-endian bytes)."""
    origin: Origin
    parents: list[str]
    """Ids of the models that it was made from."""
    files: list[ModelFile]
    """The weights first, in order."""
    folder: str | None = None
    """Relative to the models directory: of a model whose files, named as Hugging Face names them, have a folder of
    their own. Null for one that is a single file."""
    tokenizer: Tokenizer | None = None
    metrics: dict[str, float]
    """Last measured scores: `accuracy/<dataset>`, `loss/<dataset>`, …"""
    versions: dict[str, str]
    created_at: Time
    verified: bool | None = None
    """Result of the last verification; null where there was none."""
    verified_at: Time | None = None


class ModelDetail(Model):
    modules: list[ModuleParameters]
    metadata: dict[str, Any]
    """Contents of the metadata file beside the tensors."""


class LineageNode(Resource):
    id: str
    name: str
    kind: Literal["foundation", "specialist", "merged", "imported", "deleted", "op", "initialization"]
    model_id: str | None
    detail: dict[str, Any] = {}


class LineageEdge(Resource):
    source: str
    target: str
    label: str


class Lineage(Resource):
    """From the roots (drawn weights, imports) to the model, ops included."""

    nodes: list[LineageNode]
    edges: list[LineageEdge]


class Check(Resource):
    name: Literal["file_digest", "parameter_count", "rebuild"]
    status: Literal["passed", "failed", "skipped"]
    expected: str | None
    found: str | None
    detail: str


class Verification(Resource):
    """The answer to "is it real?". `ok` is true only where no check failed."""

    subject: Literal["model", "candidate"]
    subject_id: str
    ok: bool
    checks: list[Check]
    seconds: float
    time: Time


class VerifyRequest(Request):
    rebuild: Flag = Field(default=True, description="also rebuild the model from its recipe and compare the digests")
    replay: Flag = Field(
        default=False,
        description="also train a trained model again, step by step, and compare: takes as long as its training did",
    )


class DatasetInfo(Resource):
    name: str
    family: Specialization | None
    description: str
    example_prompt: str
    example_answer: str


class MergeMethod(Resource):
    """A merge op as its own source declares it."""

    name: str
    summary: str
    """Its definition."""
    details: str
    """What else belongs to the definition; may be empty."""
    edges: str
    """What it does at the ends of its parameters, with unusual weights and with entries that tie or cancel out."""
    mergekit: str | None
    """Where mergekit's op of the name or purpose differs, and why; null: it has none."""
    source: str
    """Paper or documentation, and equation."""
    parameters: dict[str, Any]
    """JSON schema of its parameters."""
    min_inputs: int
    max_inputs: int | None
    uses_base: bool
    random: bool
    """Whether it draws random numbers (from the node's seed)."""
