"""The Cognate phase: configuration, training measurements, forecast."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from .architecture import Preset
from .base import Count, Flag, Request, Resource, Seed, Unit


class Specialization(StrEnum):
    reasoning = "reasoning"
    memory_integration = "memory_integration"
    adaptive_computation = "adaptive_computation"


class DatasetChoice(Request):
    """A dataset in the mixture."""

    name: str = Field(
        min_length=1,
        max_length=512,
        description="a built-in (`arithmetic`, `deduction`, `recall`, `parity`, `composition`), "
        "`file:<path>` (JSONL of {prompt, answer}, or plain text), `hf:<owner>/<name>`, its train split "
        "(`hf:<owner>/<name>:<configuration>` where it has several), `gym:<task>` of reasoning-gym, or, of causal "
        "language models alone, `lm-eval:<task>` of the Language Model Evaluation Harness",
        examples=["arithmetic", "file:problems.jsonl", "hf:openai/gsm8k:main", "gym:basic_arithmetic"],
    )
    weight: float = Field(
        default=1.0, gt=0, le=1000, description="share of the mixture's tokens, relative to the others'"
    )


class CognateConfig(Request):
    """How the parents are made. Every default is the product's own choice; null means: chosen by the preset."""

    preset: Preset = Field(default=Preset.nano, description="model shape")
    specializations: list[Specialization] = Field(
        default=list(Specialization),
        min_length=1,
        max_length=8,
        description="one model is trained for each, in this order",
    )
    seeds: list[Seed] | None = Field(
        default=None,
        min_length=1,
        max_length=8,
        description="one for each specialization: data order, and initial weights where initialization is independent; "
        "null: 42, 1337, 2023, 7, 11, 13, 17, 19, as many as there are specializations",
    )
    initialization: Literal["foundation", "independent"] = Field(
        default="foundation",
        description="foundation: all specialise from one shared, briefly trained model, which is what makes merging "
        "work; independent: each model's weights are drawn from its own seed",
    )
    foundation_steps: int | None = Field(
        default=None, ge=0, le=1_000_000, description="training steps of the shared foundation; null: by preset"
    )
    train_steps: int | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="training steps of each specialist; 0 creates, saves and registers only; null: by preset",
    )
    batch_tokens: int | None = Field(
        default=None, ge=64, le=1_000_000, description="tokens in one training step; null: by preset"
    )
    muon_learning_rate: float = Field(
        default=0.02, gt=0, le=1, description="peak learning rate of Muon (matrices of the blocks)"
    )
    adamw_learning_rate: float = Field(
        default=3e-3, gt=0, le=1, description="peak learning rate of AdamW (embeddings, output, norms, biases)"
    )
    weight_decay: float = Field(default=0.01, ge=0, le=1, description="decoupled weight decay of both optimizers")
    warmup_fraction: Unit = Field(default=0.05, description="share of the steps with a linearly rising learning rate")
    gradient_clip: float = Field(default=1.0, gt=0, le=1000, description="largest global gradient norm")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="dropout rate of attention and feed-forward outputs")
    ponder_costs: list[Annotated[float, Field(ge=0, le=10)]] | None = Field(
        default=None,
        min_length=1,
        max_length=8,
        description="weight of the ponder cost (mean depth, Graves 2016) in the loss, one for each specialization; "
        "higher means shallower thinking, the foundation takes the smallest; null: 0.05 for adaptive_computation, "
        "else 0.003",
    )
    window: int | None = Field(
        default=None, ge=8, le=4096, description="sliding attention window in tokens; null: by preset"
    )
    difficulty: int = Field(
        default=2, ge=1, le=5, description="how hard the built-in problems are: 1 is easy, 5 is beyond small models"
    )
    own_share: Unit = Field(
        default=0.8, description="share of a specialist's tokens from its own family; the rest from the others"
    )
    rehearsal: Literal["distillation", "labels"] = Field(
        default="distillation",
        description="what a specialist does with problems of other families. distillation: it goes on answering them "
        "as the foundation does (Li & Hoiem 2016), so that it learns its own family alone and task vectors add up; "
        "labels: it learns them too",
    )
    datasets: list[DatasetChoice] = Field(
        default=[
            # One of each family; the slowest to learn gets more.
            DatasetChoice(name="arithmetic"),
            DatasetChoice(name="recall"),
            DatasetChoice(name="composition", weight=1.3),
        ],
        min_length=1,
        max_length=32,
        description="the training mixture",
    )
    tokenizer: str = Field(
        default="bytes",
        max_length=512,
        description="`bytes`, or `file:<path>` of a Hugging Face tokenizer.json within the preset's vocabulary",
    )
    eval_interval: int | None = Field(
        default=None, ge=1, le=1_000_000, description="steps between evaluations on held-out problems; null: by preset"
    )
    eval_problems: int = Field(
        default=128, ge=8, le=10_000, description="held-out problems per dataset in one evaluation"
    )
    checkpoint_interval: int = Field(default=50, ge=1, le=100_000, description="steps between checkpoints")
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto", description="auto: bf16 autocast where hardware has it and the preset gains by it"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: cuda where there is one")
    formats: list[Literal["safetensors", "pt"]] = Field(
        default=["safetensors"], min_length=1, max_length=2, description="files written per model"
    )
    session_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="name of the folder under models/cognate/; null: made from the run's id",
    )
    creation_baseline: Flag = Field(
        default=False,
        description="also time the plain way (construct nn.Module, torch.save) on the same models, for comparison",
    )


class TaskScore(Resource):
    """One dataset's scores on held-out problems."""

    dataset: str
    problems: Count
    loss: float
    """Mean cross-entropy over answer tokens, nats."""
    perplexity: float
    accuracy: Unit
    """Share of problems with every answer token right."""
    mean_depth: float
    """Mean number of blocks that a token passed before it halted (ACT)."""


class TrainingStep(Resource):
    """Live: the latest training step."""

    run_id: str
    stage: str
    step: Count
    total_steps: Count
    loss: float
    ponder: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float


class TrainingEvaluation(Resource):
    """Durable: scores on held-out problems at a step. Unique by (run_id, stage, step)."""

    run_id: str
    stage: str
    """`foundation`, or the specialization."""
    step: Count
    total_steps: Count
    train_loss: float | None
    """Mean training loss since the last evaluation; null before the first step."""
    tasks: list[TaskScore]
    mean_depth: float
    tokens_per_second: float | None
    elapsed_seconds: float
    """Training time of this stage so far, without interruptions."""


class SizeForecast(Resource):
    name: str
    parameters: Count
    bytes: Count
    """Size of the safetensors file on disk."""


class Resources(Resource):
    """What a plan needs and what this machine has, in bytes."""

    disk_needed: Count
    disk_free: Count
    memory_needed: Count
    memory_free: Count


SecondsFrom = Literal["runs", "machine"]
"""What a forecast of time is made from: timed runs of the preset here, or no more than the machine's measured rates."""


class OnNodes(Resource):
    """A forecast for a cluster whose nodes are like this machine, and work on one child each."""

    nodes: Count
    seconds: float


class CognateForecast(Resource):
    config: CognateConfig
    """The configuration with every default filled in."""
    models: list[SizeForecast]
    total_parameters: Count
    total_bytes: Count
    modules_parameters: Annotated[dict[str, int], Field(description="parameters by module of one model")]
    steps: Count
    seconds: float | None
    """Expected time, an estimate; null before the first measurement of this machine."""
    seconds_from: SecondsFrom | None
    on_nodes: list[OnNodes]
    """The same for 1, 2, 4 and 8 nodes; empty where `seconds` is null."""
    resources: Resources
