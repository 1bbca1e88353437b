"""Configuration from the environment (`AGENT_FORGE_*`), parsed once at boot; a wrong value is an error then."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parents[2]


class Settings(BaseSettings):
    """Every field can be set as `AGENT_FORGE_<NAME>`, the executor also as `EXECUTOR` and `RAY_ADDRESS`; lists and
    paths as JSON or plain text."""

    model_config = SettingsConfigDict(env_prefix="AGENT_FORGE_", frozen=True, extra="ignore", populate_by_name=True)

    data: Path = Field(default=PROJECT / ".data" / "backend", description="database, models and checkpoints")
    token: SecretStr | None = Field(default=None, min_length=16, description="bearer token that every /v1 route needs")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=0, ge=0, le=65535, description="0: any free port, printed in the ready line")
    dataset_roots: list[Path] = Field(
        default=[PROJECT / "data", Path.cwd()], description="`file:` data sets and tokenizers are read only from below"
    )
    model_roots: list[Path] = Field(
        default=[], description="folders of models are imported without sending them only from below"
    )
    workers: int = Field(default=1, ge=0, le=16, description="worker processes; 0: runs are only queued")
    executor: Literal["in_process", "ray"] = Field(
        default="in_process",
        validation_alias=AliasChoices("AGENT_FORGE_EXECUTOR", "EXECUTOR"),
        description="where candidates and specialists are worked on: in the workers, or on a Ray cluster",
    )
    ray_address: str | None = Field(
        default=None,
        validation_alias=AliasChoices("AGENT_FORGE_RAY_ADDRESS", "RAY_ADDRESS"),
        description="host:port of the cluster's head, for the executor `ray`; this machine is one of its nodes",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=512,
        description="threads of one worker, and of one child on a cluster; null: all cores, of the smallest node",
    )
    nice: int = Field(default=10, ge=0, le=19, description="how far a worker yields to everything else")
    worker_memory_bytes: int = Field(
        default=2 * 1024**3, ge=0, description="a worker that holds more after a run ends, and a fresh one follows"
    )
    heartbeat_seconds: float = Field(default=2.0, gt=0, le=60)
    lease_seconds: float = Field(default=20.0, gt=0, le=600, description="a worker silent for so long is given up")
    database_busy_seconds: float = Field(
        default=20.0, gt=0, le=600, description="how long a write waits for the database's lock"
    )
    max_fruitless_attempts: int = Field(default=3, ge=1, le=100, description="starts without progress before failure")
    disk_reserve_bytes: int = Field(default=256 * 1024**2, ge=0, description="disk that a plan must leave free")
    memory_reserve_bytes: int = Field(default=256 * 1024**2, ge=0, description="memory that a plan must leave free")
    max_body_bytes: int = Field(default=1024**2, ge=1024, description="largest JSON request body")
    max_import_bytes: int = Field(default=16 * 1024**3, ge=1024, description="largest imported model file")
    playground_memory_bytes: int = Field(
        default=4 * 1024**3, ge=0, description="a model that was asked stays open for the next question up to this size"
    )
    interactive_idle_seconds: float = Field(
        default=300.0, gt=0, description="the process for verify and predict ends after so long without a request"
    )
    interactive_timeout_seconds: float = Field(default=600.0, gt=0, description="longest verify, predict or rebuild")
    log_level: str = Field(default="INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")

    @property
    def database(self) -> Path:
        return self.data / "forge.db"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def checkpoints(self) -> Path:
        return self.data / "checkpoints"
