"""Tables. Resources are kept whole as JSON beside the columns that are searched or that fence a write."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, MetaData, Table, Text

metadata = MetaData()

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

counters = Table("counters", metadata, Column("name", Text, primary_key=True), Column("value", Integer, nullable=False))

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("run_id", Text),
    Column("run_seq", Integer),
    Column("type", Text, nullable=False),
    Column("time", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Index("events_run", "run_id", "type", "seq"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("pipeline_id", Text),
    Column("depends_on", Text),
    Column("attempt", Integer, nullable=False),
    Column("fruitless", Integer, nullable=False),  # starts since the last durable progress
    Column("run_seq", Integer, nullable=False),
    Column("body", Text, nullable=False),  # the Run
    Column("timings", Text, nullable=False),
    Column("report", Text, nullable=False),
    Column("checkpoint", Text),  # file stem below the checkpoints directory
    Column("worker", Text),  # who holds the lease
    Column("lease_until", Float),  # of the machine's monotonic clock: the wall clock may jump
    Column("running_since", Float),  # the same clock
    Index("runs_status", "status", "id"),
    Index("runs_pipeline", "pipeline_id"),
    Index("runs_depends_on", "depends_on"),
)

models = Table(
    "models",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("body", Text, nullable=False),  # the Model
    Index("models_created_at", "created_at", "id"),
    Index("models_name", "name", "id"),
    Index("models_bytes", "bytes", "id"),
    Index("models_run", "run_id"),
)

model_sources = Table(
    "model_sources",
    metadata,
    Column("model_id", Text, primary_key=True),
    Column("source_id", Text, primary_key=True),  # a model that it was made from
    Index("model_sources_source", "source_id"),
)

candidates = Table(
    "candidates",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("body", Text, nullable=False),
)

generations = Table(
    "generations",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("body", Text, nullable=False),
)

evaluations = Table(
    "evaluations",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("seq", Integer, nullable=False),  # of its event: the order in which they happened
    Column("body", Text, nullable=False),
)

series = Table(
    "series",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("loss", Float, nullable=False),
    Column("tokens_per_second", Float, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),  # SHA-256 of operation and body
    Column("resource_id", Text, nullable=False),
    Column("created_at", Text, nullable=False),
)

rates = Table(
    "rates",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("part", Text, primary_key=True),  # see `rates.Part`
    Column("preset", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("units", Float, nullable=False),  # of what the part grows with
    Index("rates_preset", "part", "preset"),
)
