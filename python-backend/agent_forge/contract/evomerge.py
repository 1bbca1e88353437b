"""The EvoMerge phase: configuration, candidates, generations."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from .base import Count, Digest, Flag, Request, Resource, Seed, Unit
from .cognate import DatasetChoice, OnNodes, Resources, SecondsFrom
from .fault import Fault
from .recipe import Recipe


class FitnessWeights(Request):
    likelihood: Unit = Field(default=0.4, description="weight of exp(−mean cross-entropy)")
    accuracy: Unit = Field(default=0.3, description="weight of the share of problems solved")
    compute: Unit = Field(default=0.2, description="weight of the parents' FLOPs per token over the candidate's")
    memory: Unit = Field(default=0.1, description="weight of the parents' bytes over the candidate's")


class CausalLMSettings(Request):
    """How causal language models are measured. The layout of batches is part of what a score means: padding changes a
    loss by up to 5e-7 nats."""

    max_new_tokens: int = Field(
        default=64, ge=1, le=4096, description="tokens that greedy decoding may take to say an answer"
    )
    stop: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(
        default=["\n"],
        max_length=16,
        description="texts at which what is said ends, beside the tokens that end a text; white space around it does "
        "not count",
    )
    batch_size: int = Field(default=8, ge=1, le=256, description="problems that are read at once")
    dtype: Literal["auto", "bf16", "fp32"] = Field(
        default="auto",
        description="type that is computed in; auto: bf16 where the model is that and the hardware multiplies it",
    )
    chat: Flag = Field(
        default=False,
        description="put each prompt as a user's message into the model's chat template; else it is read as it stands",
    )


StrategyName = Literal["tournament", "cma_es", "ga", "de", "nsga2"]
"""`tournament` breeds recipes of up to three stages and the weights themselves; the others search the weights of one
op by parent and layer group, its density and its λ, as an optimizer of real numbers does."""


class EvoMergeSettings(Request):
    """How candidates are bred, apart from which parents."""

    strategy: StrategyName = Field(
        default="tournament",
        description="search strategy: the tournament breeds whole recipes; CMA-ES, a genetic algorithm (`ga`), "
        "differential evolution (`de`) and NSGA-II (`nsga2`, by each data set's accuracy and by size) search the "
        "weights of parents by layer group, density and λ of one merge op",
    )
    generations: int = Field(default=50, ge=1, le=1000, description="generations to breed")
    population: int = Field(
        default=8, ge=2, le=64, description="candidates a generation; 8 for the tournament, from 4 for `de`"
    )
    seed: Seed = Field(default=42, description="root of all random numbers of the run")
    ops: list[Annotated[str, Field(max_length=64)]] = Field(
        default=[],
        max_length=64,
        description="merge methods that the tournament's chaos children and op mutation may draw, or that the other "
        "strategies choose from; empty: all that fit, or `breadcrumbs`",
    )
    elitism: Flag = Field(
        default=True, description="tournament: the champion so far competes as one of the two winners"
    )
    mutation_rate: Unit = Field(
        default=0.01, description="tournament: share of a tensor's entries that weight mutation changes"
    )
    mutation_sigma: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="tournament: σ of weight mutation, relative to each tensor's standard deviation",
    )
    patience: int | None = Field(
        default=None, ge=1, le=1000, description="stop after this many generations without a gain; null: never"
    )
    min_delta: float = Field(default=0.001, ge=0, le=1, description="smallest rise of best fitness that is a gain")
    min_diversity: float = Field(
        default=0.0001,
        ge=0,
        le=2,
        description="tournament: below this mean pairwise cosine distance the two worst are re-seeded from the parents",
    )
    fitness: FitnessWeights = Field(default=FitnessWeights(), description="weights of the fitness components")
    eval_problems: int | None = Field(
        default=None,
        ge=8,
        le=10_000,
        description="selection problems per dataset, for each candidate; null: 64, and 32 for `wide` and causal "
        "language models",
    )
    heldout_problems: int = Field(
        default=256, ge=8, le=10_000, description="held-out problems per dataset, for parents and champion at the end"
    )
    datasets: list[DatasetChoice] | None = Field(
        default=None,
        max_length=32,
        description="what fitness is measured on; null: the parents' own mixture, which causal language models have "
        "none of. They also read JSONL of {prompt, choices, answer}",
        json_schema_extra={"x-follows-parents": True},
    )
    align: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="first permute each parent's units to match a reference, its foundation or else the first parent; "
        "what it computes stays (Git Re-Basin); of TinyTitans alone. auto: where the parents share no foundation",
    )
    basis: Literal["auto", "raw", "decoupled"] = Field(
        default="auto",
        description="the task vectors that recipes combine: the parents' own (`raw`), or what is left of each once it "
        "interferes less with the others (`decoupled`, the split of SWUDI by parent). auto: those whose plain sum is "
        "fitter on the selection problems",
    )
    polish_steps: int | None = Field(
        default=None,
        ge=0,
        le=10_000,
        description="steps in which the weights of the best recipe so far, by tensor and parent, follow their gradient "
        "on training problems: in the last generation, or tournament: in the second, and a quarter of them every "
        "twentieth after it; 0: never; null: 80, and 0 for causal language models",
    )
    racing: Flag = Field(
        default=True,
        description="tournament: candidates that a paired test finds worse than the fourth best stop before they have "
        "seen all selection problems",
    )
    finalists: int = Field(
        default=8,
        ge=0,
        le=64,
        description="candidates among which the champion is chosen at the end, on selection problems that the search "
        "has not seen: the best, the polished, and those that were the best of their time; 0: the search's own best "
        "is the champion",
    )
    final_problems: int = Field(
        default=512, ge=8, le=10_000, description="such problems per dataset, for each finalist"
    )
    causal_lm: CausalLMSettings = Field(
        default=CausalLMSettings(), description="how causal language models are measured; of no effect for TinyTitans"
    )
    barrier_points: int = Field(
        default=3,
        ge=0,
        le=25,
        description="models measured between every two parents, before evolution, to see whether a hill of loss "
        "parts them; of more than three parents, between each and the first; 0: none",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: cuda where there is one")


class EvolveConfig(Request):
    configuration: str = Field(
        min_length=1, max_length=256 * 2**10, description="a configuration of mergekit-evolve, its YAML as it is"
    )


class EvoMergeConfig(EvoMergeSettings):
    base: str | None = Field(
        default=None,
        max_length=64,
        description="id of the model that task vectors are about, of the parents' architecture; null: the foundation "
        "that all parents were trained from here, else the parents' mean",
    )
    parents: list[Annotated[str, Field(max_length=64)]] = Field(
        min_length=2, max_length=16, description="ids of registered models of one architecture"
    )


class Role(StrEnum):
    seed = "seed"
    """What the search begins with: one of the tournament's 2³ combinations, or a point near the plain merges."""
    winner = "winner"
    """A mutation of one of the two best."""
    chaos = "chaos"
    """A merge of three of the six worst."""
    reseed = "reseed"
    """Drawn anew from the parents, since diversity had fallen too low, or too few candidates could be measured."""
    polished = "polished"
    """The champion so far, its weights improved by gradient on training problems."""
    asked = "asked"
    """Asked for by an optimizer, from all that it was told before."""


class Fitness(Resource):
    """The components of a fitness, each in its own unit, and their weighted sum.

    Of something that could not be measured the total is 0, the components are null and there are no tasks.
    """

    total: float
    # checkpoints of runs that began before it had this name are still read
    likelihood: float | None = Field(validation_alias=AliasChoices("likelihood", "perplexity"))
    """exp(−mean cross-entropy), 0 to 1."""
    accuracy: float | None
    """0 to 1."""
    compute: float | None
    """Parents' mean FLOPs per token over the candidate's."""
    memory: float | None
    """Parents' mean bytes over the candidate's."""
    mean_depth: float | None
    """Mean ACT depth, blocks."""
    tasks: dict[str, dict[str, float]]
    """Dataset → {loss, perplexity, accuracy}; perplexity is exp(loss)."""
    problems: Count | None = None
    """What it was measured on, over all datasets; null where it was measured before this was recorded."""
    partial: bool = False
    """True where the candidate stopped early, since it was worse than the fourth best: others saw more problems."""


class Candidate(Resource):
    """One bred model. Unique by (run_id, generation, slot); its id is made from them."""

    id: str
    run_id: str
    generation: Count
    slot: Count
    role: Role
    op: str
    """The op at the root of the recipe, below any mutation."""
    parents: list[str]
    """Ids of the candidates that it came from; of models, where it came from these."""
    recipe: Recipe
    digest: Digest | None
    """Of the tensors that were evaluated; null where there are none, see `fault`."""
    parameters: Count
    bytes: Count
    fitness: Fitness
    fault: Fault | None = None
    """Why it could not be merged or measured. Such a candidate is recorded, and takes part in nothing else."""
    polished: bool = False
    """Whether weights in its recipe were improved by gradient, its own or those of one that it descends from."""
    merge_seconds: float
    """In process, while the candidate before was evaluated. Includes the measuring of Fisher information, where there
    is any."""
    evaluate_seconds: float
    cached: bool
    """True where the same digest was evaluated before and the scores were taken from there."""
    node: str | None = None
    """Where it was merged and measured; null: on the backend's own machine."""


class Generation(Resource):
    """Durable: a generation's summary. Unique by (run_id, index)."""

    run_id: str
    index: Count
    best: float
    """Of the candidates that were measured on all problems, as `mean` and `worst` are; 0 where none was."""
    mean: float
    worst: float
    diversity: float
    """Mean pairwise cosine distance of the measured candidates' task vectors."""
    champion_id: str | None
    """Best candidate of the run so far; null where none was measured yet."""
    champion_fitness: float | None
    ranked: list[str]
    """Ids of the candidates that were measured, best first; behind them those that stopped early."""
    stopped_early: Count = 0
    """Candidates that saw fewer problems than the others: their fitness is not comparable."""
    faulted: Count = 0
    """Candidates that could not be merged or measured."""
    min_bytes: Count
    max_bytes: Count
    seconds: float


class EvoMergeForecast(Resource):
    settings: EvoMergeSettings
    candidates: Count
    min_parameters: Count
    max_parameters: Count
    min_bytes: Count
    max_bytes: Count
    seconds: float | None
    seconds_from: SecondsFrom | None
    on_nodes: list[OnNodes]
    """The same for 1, 2, 4 and 8 nodes; empty where `seconds` is null."""
    resources: Resources
